"""The C++ core, and the only Python module that calls it."""
