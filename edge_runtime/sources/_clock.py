"""Media time: seconds since the first frame of a video, by the times in its file."""

from __future__ import annotations

from typing import Optional

BACK_S = 0.2  # a time that goes back by more than this starts a new count
TICK_S = 1e-6  # least step from frame to frame


class MediaClock:
    """Gives each frame a time that is later than the last one, also where a file has none, joins recordings, or loops.

    Args:
        period_s: seconds from frame to frame, where the file does not say it.

    Attributes:
        joined: whether the times of the file went back since its beginning.
        restarts: how often the file began again, or its times went back.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._last_s: Optional[float] = None
        self.restarts = -1
        self.restart()

    def restart(self) -> None:
        """The file begins again."""
        self._origin_s: Optional[float] = None
        self.joined = False
        self.restarts += 1

    def at(self, file_s: Optional[float]) -> float:
        """The time of the next frame, seconds since the first one.

        Args:
            file_s: its time in the file, in seconds; None if unknown.
        """
        last_s = self._last_s
        next_s = 0.0 if last_s is None else last_s + self._period_s
        at_s = next_s if file_s is None else self._counted_s(file_s, next_s)
        self._last_s = at_s if last_s is None else max(at_s, last_s + TICK_S)
        return self._last_s

    def _counted_s(self, file_s: float, next_s: float) -> float:
        if self._origin_s is not None and file_s - self._origin_s < next_s - self._period_s - BACK_S:
            self.joined = True
            self.restarts += 1
            self._origin_s = None
        if self._origin_s is None:
            self._origin_s = file_s - next_s
        return file_s - self._origin_s
