"""Joules and frames per second per watt, measured and held to a budget."""
