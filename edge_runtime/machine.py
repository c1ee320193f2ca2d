"""The cores and the memory of this machine, and how busy other processes keep it."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Dict, Tuple

from edge_runtime.jetson.board import read_text


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def meminfo(root: Path = Path("/")) -> Dict[str, int]:
    """Bytes by name, "MemTotal", "SwapFree", from /proc/meminfo. Empty if it cannot be read."""
    text = read_text(root / "proc/meminfo")
    return {name: int(value) * 1024 for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}


def cpu_ticks() -> Tuple[int, int]:
    """(busy, all) clock ticks of all cores since boot; proc(5): user nice system idle iowait irq softirq steal.

    Raises:
        OSError: not Linux.
    """
    with open("/proc/stat") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


class Others:
    """Number of cores that other processes keep busy, on average since this object was created."""

    def __init__(self) -> None:
        self._before = self._now()

    @property
    def cores(self) -> float:
        """The average, in cores. 0 if it is not known."""
        (busy_s, own_s, began_s), (busy_now_s, own_now_s, now_s) = self._before, self._now()
        return max(0.0, (busy_now_s - busy_s) - (own_now_s - own_s)) / max(now_s - began_s, 1e-9)

    @staticmethod
    def _now() -> Tuple[float, float, float]:
        try:
            busy_s = cpu_ticks()[0] / os.sysconf("SC_CLK_TCK")
        except OSError:  # not Linux
            busy_s = 0.0
        own = os.times()
        return busy_s, own.user + own.system + own.children_user + own.children_system, time.monotonic()
