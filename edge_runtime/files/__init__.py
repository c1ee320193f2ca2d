"""Files of the user: how they are written."""
