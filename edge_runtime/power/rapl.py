"""RAPL: energy counters of Intel's and AMD's processors. Watts are those since the reading before."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

from edge_runtime.jetson import board
from edge_runtime.power import Meter
from edge_runtime.power._sysfs import number

PRIORITY = 0


def available(root: Path = Path("/")) -> Optional[str]:
    """None where a counter can be read, else the reason."""
    zones = _zones(root)
    if not zones:
        return "no RAPL counters"
    if not any(os.access(zone / "energy_uj", os.R_OK) for zone in zones):
        return f"RAPL counters may be read by root alone: sudo chmod a+r {zones[0]}/energy_uj"
    return None


def open(root: Path = Path("/")) -> Meter:
    """All zones that have a counter."""
    return RaplMeter(_zones(root))


class RaplMeter:
    """See `Meter`; the first reading has no watts yet."""

    def __init__(self, zones: List[Path], clock: Callable[[], float] = time.monotonic) -> None:
        self.name, self.gaps, self._clock = "rapl", 0, clock
        self._zones = {board.read(zone / "name"): zone for zone in zones}
        self._before: Dict[str, Tuple[float, float]] = {}
        self.read_w()

    def read_w(self) -> Dict[str, float]:
        """See `Meter.read_w`. A counter that wrapped around has its range added."""
        read: Dict[str, float] = {}
        for name, zone in self._zones.items():
            microjoules, now = number(zone / "energy_uj"), self._clock()
            if microjoules is None:
                self.gaps += 1
                continue
            if name in self._before:
                then, joules = self._before[name]
                spent = microjoules / 1e6 - joules
                if spent < 0:
                    spent += (number(zone / "max_energy_range_uj") or 0.0) / 1e6
                if now > then and spent >= 0:
                    read[name] = spent / (now - then)
            self._before[name] = now, microjoules / 1e6
        return read


def _zones(root: Path) -> List[Path]:
    zones = sorted((root / "sys/class/powercap").glob("intel-rapl:*"))
    return [zone for zone in zones if (zone / "energy_uj").exists()]
