"""A real Home Assistant in a folder of its own, and an integration in it that writes down what it knows."""
