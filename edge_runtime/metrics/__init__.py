"""Accuracy protocols: pure computation on boxes."""
