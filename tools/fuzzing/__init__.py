"""Fuzzers of readers and commands; see tools/fuzz.py."""
