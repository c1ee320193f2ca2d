"""The detection loop: takes frames from sources through a detector to sinks, and counts them."""
