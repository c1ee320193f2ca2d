"""At most so many frames a second, on average."""

from __future__ import annotations

from time import perf_counter
from typing import Callable, Optional


class Pace:
    """When the next frame is due.

    Attributes:
        fps: frames per second at most; None for all. May be changed at any time, by any thread.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self.fps: Optional[float] = None
        self._clock, self._due_s = clock, 0.0

    @property
    def wait_s(self) -> float:
        """Seconds until the next frame is due; 0 where it is."""
        return max(0.0, self._due_s - self._clock()) if self.fps else 0.0

    def taken(self) -> None:
        """A frame is taken: the next is due a period after this one was, or after now where that is long ago."""
        if self.fps:
            period_s = 1 / self.fps
            self._due_s = max(self._due_s + period_s, self._clock())
