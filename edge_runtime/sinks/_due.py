"""Decides which pictures are shown if there may only be so many per second."""

from __future__ import annotations

EARLY = 0.1  # of the time between two pictures: a frame may come so much before its time, because cameras are not exact


class Due:
    """The time of the next picture.

    Args:
        fps: pictures per second.

    Attributes:
        next_s: when it is; the clock is that of the caller.
    """

    def __init__(self, fps: float) -> None:
        self._period_s, self.next_s = 1 / fps, 0.0

    def is_now(self, now_s: float) -> bool:
        """Whether it is time for a picture. If it is, it is then time for the one behind it."""
        if now_s < self.next_s - EARLY * self._period_s:
            return False
        late_s = now_s - self.next_s
        self.next_s = (self.next_s if late_s < self._period_s else now_s) + self._period_s
        return True
