"""Sensors that are files. They are found by their names, because their numbers change from boot to boot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Collection, Dict, List, Optional, Sequence

from edge_runtime.jetson.board import read_text


def chips(root: Path, name: str) -> List[Path]:
    """Folders of the sensors of one kind: every hwmon or iio device with this name, sorted by bus address."""
    found = []
    for device in sorted((root / "sys/bus/i2c/devices").glob("*")):
        for folder in [*device.glob("hwmon/hwmon*"), *device.glob("iio:device*"), *device.glob("iio_device*")]:
            if read_text(folder / "name") == name:
                found.append(folder)
    return found


@dataclass(frozen=True)
class Rail:
    """One measured wire: its name, and how to read its watts (None if that fails)."""

    name: str
    watts: Callable[[], Optional[float]]


class Rails:
    """A meter of rails."""

    def __init__(self, name: str, rails: Sequence[Rail]) -> None:
        self.name, self.gaps, self._rails = name, 0, list(rails)
        self.rails = [rail.name for rail in rails]

    def read_w(self, only: Optional[Collection[str]] = None) -> Dict[str, float]:
        """See `Meter.read_w`."""
        found: Dict[str, float] = {}
        for rail in self._rails:
            if only is not None and rail.name not in only:
                continue
            watts = rail.watts()
            if watts is None:
                self.gaps += 1
            else:
                found[rail.name] = watts
        return found

    def close(self) -> None:
        """Nothing is held open."""
