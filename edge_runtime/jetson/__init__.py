"""The Jetson board behind plain functions. It uses the standard library only, so that a bare host can run it."""
