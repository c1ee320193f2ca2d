"""Python imports this at its start: a process whose PYTHONPATH has this folder finds the stand-ins in place."""

import os
from pathlib import Path

NEEDLESS = ('"basics"', '"caps"', '"OpenCV"', '"ONNX Runtime"', '"OpenVINO"', '"GStreamer"')

if os.environ.get("EDGE_STANDINS"):
    started = Path("/proc/self/cmdline").read_text()
    if "edge_runtime" in started and not any(word in started for word in NEEDLESS):  # importing them takes a second
        from tests.standins import machine

        machine.install(os.environ["EDGE_STANDINS"].split(","))
