"""An open model: what its file means, and boxes from images."""
