"""How right a detector is: it is run over a data set, and compared with labels."""
