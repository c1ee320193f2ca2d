"""Reports: HTML pages in one file, and the pictures in them."""
