"""Compares two artefacts of one network, and names the first stage where they part."""
