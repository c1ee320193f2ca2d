"""Finds frames that come late: a buffer or a frozen server kept them, and they show the past."""

from __future__ import annotations

from typing import Optional

LATE_S = 1.0  # a frame that comes so much later than the quickest ones is old
DRIFT = 1e-3  # seconds per second by which the clock of a camera may be slower than ours
JUDGED_S = 1.0  # time after which late frames must have begun to catch up
CATCHING_UP = 1.2  # frames of the past come so much faster than they were taken


class Lateness:
    """Compares the times in a stream with those at which its frames come.

    Old frames come faster than they were taken, until the present is reached. Late frames at the usual rate mean that
    the camera has stopped its clock or set it: they are new, and the comparison begins again.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new connection has times of its own."""
        self._least_s: Optional[float] = None  # the least difference between arrival and time in the stream
        self._last_s = 0.0  # arrival of the last frame
        self._began_s: Optional[float] = None  # arrival of the first of the late frames, and its time in the stream
        self._began_stamp_s = 0.0

    def is_old(self, stamp_s: Optional[float], now_s: float) -> bool:
        """Whether a frame shows the past.

        Args:
            stamp_s: its time in the stream, seconds; None if it has none. Such a frame counts as new.
            now_s: when it came, seconds of a clock that never goes back.
        """
        if stamp_s is None:
            return False
        behind_s = now_s - stamp_s
        if self._least_s is None:
            self._least_s, self._last_s = behind_s, now_s
        self._least_s = min(behind_s, self._least_s + DRIFT * (now_s - self._last_s))
        self._last_s = now_s
        if behind_s - self._least_s < LATE_S:
            self._began_s = None
            return False
        if self._began_s is None:
            self._began_s, self._began_stamp_s = now_s, stamp_s
        return not self._is_another_clock(stamp_s, now_s)

    def _is_another_clock(self, stamp_s: float, now_s: float) -> bool:
        """Whether the late frames do not catch up; their times then begin a new comparison."""
        assert self._began_s is not None
        waited_s, shown_s = now_s - self._began_s, stamp_s - self._began_stamp_s
        if waited_s < JUDGED_S or shown_s >= CATCHING_UP * waited_s:
            return False
        self.restart()
        self._least_s, self._last_s = now_s - stamp_s, now_s
        return True
