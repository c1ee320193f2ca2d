"""Turns the times of frames into those of a video, which begin at 0 and always rise."""

from __future__ import annotations

from math import inf
from typing import Dict, Mapping, Optional

from edge_runtime.types import Frame

LONGEST_S = 43_200.0  # a longer gap is a clock that was set; MP4 has no more than 13 hours
LEAST_S = 0.001  # between two pages
APART_S = 0.5  # sources that differ by less show the same moment


class Timeline:
    """The times of one video.

    Args:
        fps: nominal frames per second. A frame follows at this rate if its time does not rise, or rises by more than
            half a day: a clock was set. Pictures of a folder have no times and always follow at this rate.
    """

    def __init__(self, fps: float) -> None:
        self._period_s = 1 / fps
        self._origin_s: Optional[float] = None
        self._last_s = 0.0

    def place(self, frame: Frame) -> float:
        """Seconds since the first frame. They rise from frame to frame."""
        at_s = stamp(frame, self._period_s)
        if self._origin_s is None:
            self._origin_s = at_s
            return 0.0
        if not 0 < at_s - self._origin_s - self._last_s <= LONGEST_S:
            self._origin_s = at_s - self._last_s - self._period_s
        self._last_s = at_s - self._origin_s
        return self._last_s


class PageTimes:
    """The times of pages that show several sources.

    The times of each source are moved to those of the pages. If sources with a new frame on a page disagree, the
    earliest time counts, so no source is shown slower than it is. Those that are far from it are moved again. The clock
    of a source that jumps back does not count.

    Args:
        rates: nominal frames per second of each source, by name.
    """

    def __init__(self, rates: Mapping[str, float]) -> None:
        self._rates = dict(rates)
        self._ahead_s: Dict[str, float] = {}
        self._now_s = 0.0

    def admit(self, source: str, rate: float) -> None:
        """One more source, with its nominal frames per second."""
        self._rates[source] = rate

    def stamp(self, frame: Frame) -> float:
        """The time of a frame on its own clock, seconds."""
        return stamp(frame, 1 / self._rates[frame.source])

    def next(self, stamps: Mapping[str, float]) -> float:
        """The time of a page, seconds since the first page.

        Args:
            stamps: `stamp` of each frame that is new on it, by source.
        """
        times = [at_s - self._ahead_s[source] for source, at_s in stamps.items() if source in self._ahead_s]
        rising = [at_s for at_s in times if at_s > self._now_s - APART_S]
        if self._ahead_s:
            next_s = self._now_s + 1 / max(self._rates.values())
            self._now_s = max(min(rising, default=next_s), self._now_s + LEAST_S)
        for source, at_s in stamps.items():
            if abs(at_s - self._ahead_s.get(source, inf) - self._now_s) > APART_S:
                self._ahead_s[source] = at_s - self._now_s
        return self._now_s


def stamp(frame: Frame, period_s: float) -> float:
    """A frame's own time, seconds; of a picture from a file, its place in the order."""
    return frame.timestamp_s if frame.path is None else frame.index * period_s
