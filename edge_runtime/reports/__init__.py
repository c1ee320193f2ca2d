"""Reports: pages that hold everything they show, and the pictures in them."""
