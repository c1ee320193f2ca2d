"""The C++ core, and the one Python door to it."""
