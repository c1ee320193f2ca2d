"""Python imports this at its start: a process whose PYTHONPATH has this folder finds the stand-ins in place."""

import os

if os.environ.get("EDGE_STANDINS"):
    from tests.standins import machine

    machine.install(os.environ["EDGE_STANDINS"].split(","))
