"""Finds how pictures must be prepared for a model and how its outputs are read, by trying and comparing."""
