"""Limits the frames per second, on average."""

from __future__ import annotations

from time import perf_counter
from typing import Callable, Optional


class Pace:
    """Knows when the next frame is due.

    Attributes:
        fps: most frames per second; None for all. Any thread may change it at any time.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self.fps: Optional[float] = None
        self._clock, self._due_s = clock, 0.0

    @property
    def wait_s(self) -> float:
        """Seconds until the next frame is due; 0 if it is due."""
        return max(0.0, self._due_s - self._clock()) if self.fps else 0.0

    def taken(self) -> None:
        """Notes a frame. The next one is due one period after this one was due, or after now if that was long ago."""
        if self.fps:
            period_s = 1 / self.fps
            self._due_s = max(self._due_s + period_s, self._clock())
