"""Files of the user: how they are read, checked and written."""
