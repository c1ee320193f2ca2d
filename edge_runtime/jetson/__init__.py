"""The Jetson board behind plain functions: standard library only, so that a bare host can run it."""
