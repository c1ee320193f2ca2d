"""Measures how accurate a detector is: runs it over a data set and compares the result with the labels."""
