"""Passes over network graphs."""
