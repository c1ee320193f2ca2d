"""The detection loop: frames from sources through a detector to sinks, counted."""
