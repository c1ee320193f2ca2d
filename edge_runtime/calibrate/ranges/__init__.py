"""Ranges of activations: histograms of their values, methods that choose a range from one, and the range table."""
