"""The cores and the memory of this machine, and how busy other processes keep it."""

from __future__ import annotations

import os
import platform
import re
import time
from math import ceil
from pathlib import Path, PurePosixPath
from typing import Dict, List, Tuple

from edge_runtime.jetson.board import is_whole, read_text


def cores(root: Path = Path("/")) -> int:
    """Processor cores that this process may use. A container's limit of CPU time counts, rounded up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *map(ceil, _limits(root))]))


def usual_threads() -> int:
    """Inference threads of a command that has measured nothing: from three cores on, one is left for decoding."""
    return cores() if cores() <= 2 else cores() - 1


def cpu_name(root: Path = Path("/")) -> str:
    """Name of the processor, for people and to tell machines apart. ARM processors have numbers instead."""
    text = read_text(root / "proc/cpuinfo")
    found = re.findall(r"^(?:model name|Model|CPU implementer|CPU part)\s*:\s*(.+?)\s*$", text, re.M)
    return ", ".join(dict.fromkeys(found)) or platform.machine()


def _limits(root: Path) -> List[float]:
    """Cores' worth of CPU time that each control group of this process allows, those that limit it."""
    found = []
    for line in read_text(root / "proc/self/cgroup").splitlines():
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        places = [controllers, "cpu"] if controllers else ["", "unified"]
        for folder in (root / "sys/fs/cgroup" / place for place in dict.fromkeys(places)):
            # Inside a container the group's own folder is often mounted at the top, so every folder above counts.
            groups = [PurePosixPath(group), *PurePosixPath(group).parents]
            found += [limit for part in groups for limit in [_limit(folder / str(part).lstrip("/"))] if limit]
    return found


def _limit(folder: Path) -> float:
    """The limit in a group's folder, in cores; 0 for none. `cpu.max` is of version 2, the others of version 1."""
    first = [read_text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    second = read_text(folder / "cpu.max").split()
    quota_us, period_us = second if len(second) == 2 else first
    if not (is_whole(quota_us) and is_whole(period_us) and int(period_us)):
        return 0.0  # "max", -1, or no such file
    return int(quota_us) / int(period_us)


def meminfo(root: Path = Path("/")) -> Dict[str, int]:
    """Bytes by name, "MemTotal", "SwapFree", from /proc/meminfo. Empty if it cannot be read."""
    text = read_text(root / "proc/meminfo")
    return {name: int(value) * 1024 for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}


def cpu_ticks() -> Tuple[int, int]:
    """(busy, all) clock ticks of all cores since boot; proc(5): user nice system idle iowait irq softirq steal.

    Raises:
        OSError: not Linux.
    """
    with open("/proc/stat", encoding="utf-8") as file:
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
