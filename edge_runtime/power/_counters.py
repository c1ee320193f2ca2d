"""Computes watts from counters of joules, as the average since the reading before."""

from __future__ import annotations

import time
from typing import Callable, Dict, Optional, Tuple

SHORTEST_S = 0.05  # least time between two readings, because counters change in steps of milliseconds


class Counters:
    """Remembers each counter's last reading.

    Args:
        clock: monotonic, seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._before: Dict[str, Tuple[float, float]] = {}
        self._watts: Dict[str, float] = {}

    def watts(self, name: str, joules: float, range_j: float = 0.0) -> Optional[float]:
        """Watts since the reading before; None for the first. Asked too soon, it returns the value from before.

        Args:
            joules: the counter's value now.
            range_j: the value at which the counter starts again at 0.
        """
        now = self._clock()
        then, before = self._before.get(name, (now, joules))
        if name in self._before and now - then < SHORTEST_S:
            return self._watts.get(name)
        self._before[name] = now, joules
        spent = joules - before + (range_j if joules < before else 0.0)
        if now > then and spent >= 0:
            self._watts[name] = spent / (now - then)
            return self._watts[name]
        return None
