"""Short numpy twins of the native operations: what the tests compare with, bit for bit."""
