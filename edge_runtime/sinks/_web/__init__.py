"""The page that `sinks/http.py` serves: its server, its pictures, its state, and its HTML."""
