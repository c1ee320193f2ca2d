"""Which backend runs a model fastest on this machine, with how many threads and streams: tried, printed and kept."""
