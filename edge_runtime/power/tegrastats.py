"""tegrastats: reads what NVIDIA's program prints about the rails, if their files cannot be read.

A line is RAM 1488/7620MB VDD_IN 4654mW/4654mW VDD_SOC 1484mW/1484mW. The values are now and average. L4T 32 leaves out
the unit. L4T 39 adds a third value. An idle rail may be below zero because of the sensor's noise.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Dict, Optional

from edge_runtime.power import Meter
from edge_runtime.power._child import Child

PRIORITY = 5
PROGRAM = "usr/bin/tegrastats"
INTERVAL_MS = 200
RAIL = re.compile(r"\b([A-Z][A-Z0-9_]*) (-?\d{1,9})(?:mW)?(?:/-?\d+(?:mW)?){1,2}(?=\s|$)")  # RAM 407/31920MB is not one


def available(root: Path = Path("/")) -> Optional[str]:
    """None if the program is there, else the reason."""
    return None if _program(root) else "no tegrastats"


def open(root: Path = Path("/"), what: str = "") -> Meter:
    """Starts the program.

    Raises:
        SourceError: it does not start, or prints no watts.
    """
    command = [_program(root) or PROGRAM, "--interval", str(INTERVAL_MS)]
    return Child("tegrastats", command, parse, stale_s=3 * INTERVAL_MS / 1e3 + 1.0)


def parse(line: str) -> Dict[str, float]:
    """Watts by rail of one line. Channels that are not connected are left out."""
    return {name: int(milliwatts) / 1e3 for name, milliwatts in RAIL.findall(line) if name != "NC"}


def _program(root: Path) -> Optional[str]:
    return shutil.which(str(root / PROGRAM))
