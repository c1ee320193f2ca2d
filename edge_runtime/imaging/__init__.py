"""OpenCV, and what is read and drawn with it."""
