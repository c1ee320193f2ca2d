"""The measurements of bench_host.py, one file per section; `report` and `timing` are what they share."""
