"""Measures joules and frames per second per watt, and holds them to a budget."""
