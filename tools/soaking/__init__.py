"""Parts of the soaks: what a process holds over time, and streams that fail and say when their pictures were taken."""
