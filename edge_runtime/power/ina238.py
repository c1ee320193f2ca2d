"""INA238: the sensor for the input of a Jetson Thor's carrier board. It gives microwatts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Optional

from edge_runtime.jetson.board import number
from edge_runtime.power import Meter
from edge_runtime.power._sysfs import Rail, Rails, chips

PRIORITY = 10
RAIL = "VIN"  # our name, because the kernel has no label for it


def available(root: Path = Path("/")) -> Optional[str]:
    """None if there is a sensor, else the reason."""
    return None if chips(root, "ina238") else "no ina238 sensor"


def open(root: Path = Path("/"), what: str = "") -> Meter:
    """Opens the input of the board."""
    return Rails("ina238", [Rail(RAIL, partial(_watts, chip)) for chip in chips(root, "ina238")[:1]])


def _watts(chip: Path) -> Optional[float]:
    microwatts = number(chip / "power1_input")
    return None if microwatts is None else microwatts / 1e6
