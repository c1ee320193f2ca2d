"""What happened, made from what was found: an object came, changed, crossed a line, left; counts; states."""
