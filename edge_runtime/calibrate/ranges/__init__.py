"""Ranges of activations: histograms of what was seen, ways to choose a range from one, and the table that results."""
