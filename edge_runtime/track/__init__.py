"""Objects from frame to frame: their ids, the lines that they cross, the zones that they are in."""
