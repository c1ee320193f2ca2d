"""OpenCV, and reading and drawing pictures with it."""
