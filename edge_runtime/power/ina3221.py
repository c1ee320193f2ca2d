"""INA3221: the sensor of every Jetson. It reads the files of both kernels.

L4T 32 has its own driver (`ina3221x`, IIO), which gives milliwatts. L4T 35 and later use the kernel's driver
(`ina3221`, hwmon), which gives millivolts and milliamperes.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import List, Optional

from edge_runtime.jetson.board import number, read_text
from edge_runtime.power import Meter
from edge_runtime.power._sysfs import Rail, Rails, chips

PRIORITY = 10
READINGS = {"ina3221x": "in_power[0-2]_input", "ina3221": "curr[1-3]_input"}  # only root can read it on some L4T 35
UNCONNECTED, SUM = "NC", "sum of shunt voltages"


def available(root: Path = Path("/")) -> Optional[str]:
    """None if a rail has a name and can be read, else the reason."""
    if not _rails(root):
        return "no ina3221 sensor"
    for name, these in READINGS.items():
        for chip in chips(root, name):
            if not all(os.access(file, os.R_OK) for file in chip.glob(these)):
                return f"ina3221 may be read by root alone: sudo chmod a+r {chip}/{these}"
    return None


def open(root: Path = Path("/"), what: str = "") -> Meter:
    """Opens the named rails of all chips, in the order of their addresses."""
    return Rails("ina3221", _rails(root))


def _rails(root: Path) -> List[Rail]:
    rails = []
    for chip in chips(root, "ina3221x"):
        for channel in range(3):
            rails.append(Rail(read_text(chip / f"rail_name_{channel}"), partial(_power, chip, channel)))
    for chip in chips(root, "ina3221"):
        for channel in range(1, 4):
            rails.append(Rail(read_text(chip / f"in{channel}_label"), partial(_product, chip, channel)))
    return [rail for rail in rails if rail.name and UNCONNECTED not in rail.name.split("_") and rail.name != SUM]


def _power(chip: Path, channel: int) -> Optional[float]:
    milliwatts = number(chip / f"in_power{channel}_input")
    return None if milliwatts is None else milliwatts / 1e3


def _product(chip: Path, channel: int) -> Optional[float]:
    millivolts, milliamperes = number(chip / f"in{channel}_input"), number(chip / f"curr{channel}_input")
    if millivolts is None or milliamperes is None:
        return None
    return int(millivolts * milliamperes / 1e3) / 1e3  # whole milliwatts per rail, like tegrastats and jtop
