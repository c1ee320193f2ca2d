"""RAPL: energy counters of Intel's and AMD's processors. Watts are the average since the reading before."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable, Collection, Dict, List, Optional

from edge_runtime.jetson import board
from edge_runtime.power import Meter
from edge_runtime.power._counters import SHORTEST_S, Counters

PRIORITY = 0


def available(root: Path = Path("/")) -> Optional[str]:
    """None if a counter can be read, else the reason."""
    zones = _zones(root)
    if not zones:
        return "no RAPL counters"
    if not any(os.access(zone / "energy_uj", os.R_OK) for zone in zones):
        return f"RAPL counters may be read by root alone: sudo chmod a+r {zones[0]}/energy_uj"
    return None


def open(root: Path = Path("/"), what: str = "") -> Meter:
    """Opens all zones that have a counter."""
    meter = RaplMeter(_zones(root))
    time.sleep(SHORTEST_S)  # so that the next reading has watts
    return meter


class RaplMeter:
    """See `Meter`. The first reading has no watts yet."""

    def __init__(self, zones: List[Path], clock: Callable[[], float] = time.monotonic) -> None:
        self.name, self.gaps = "rapl", 0
        self._zones = dict(zip(_names(zones), zones))
        self.rails = list(self._zones)
        self._counters = Counters(clock)
        self.read_w()

    def read_w(self, only: Optional[Collection[str]] = None) -> Dict[str, float]:
        """See `Meter.read_w`. If a counter started again at 0, its range is added."""
        read: Dict[str, float] = {}
        for name, zone in self._zones.items():
            microjoules = board.number(zone / "energy_uj")
            if microjoules is None:
                self.gaps += 1
                continue
            range_uj = board.number(zone / "max_energy_range_uj") or 0.0
            watts = self._counters.watts(name, microjoules / 1e6, range_uj / 1e6)
            if watts is not None:
                read[name] = watts
        if read and not any(read.values()):  # every processor draws power, so the counters do not work
            self.gaps += len(read)
            return {}
        return read

    def close(self) -> None:
        """Nothing is held open."""


def _names(zones: List[Path]) -> List[str]:
    """Names of the zones. If several sockets have the same name, the socket's number is added: core-0, core-1."""
    names = [board.read_text(zone / "name") for zone in zones]
    return [name if names.count(name) == 1 else f"{name}-{zone.name.split(':')[1]}" for name, zone in zip(names, zones)]


def _zones(root: Path) -> List[Path]:
    zones = sorted((root / "sys/class/powercap").glob("intel-rapl:*"))
    return [zone for zone in zones if (zone / "energy_uj").exists()]
