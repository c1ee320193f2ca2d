"""A sink that reads the times in the pictures of stamped cameras: how late results are, and which show the past."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import Callable, Deque, Dict, List, NamedTuple, Optional

from edge_runtime.types import Result
from tests.sources.stamped import taken_s

KEPT = 1000  # results of each source
STALE_S = 1.5  # a live source leaves out what is 1 s late; the rest is the way through the pipeline


class One(NamedTuple):
    """A result: when it came and when its picture was taken (monotonic, s), and the size of the picture."""

    at_s: float
    taken_s: float
    size: str


class Seen:
    """Keeps the last results of each source, and counts over all.

    Attributes:
        count: results.
        stale: those whose picture was older than `STALE_S`.
        oldest_s: the age of the oldest picture.
        again: results whose picture was not newer than the one before.
        unread: results in whose picture the time could not be read.
    """

    target = "seen"

    def __init__(self) -> None:
        self.results: Dict[str, Deque[One]] = defaultdict(lambda: deque(maxlen=KEPT))
        self.count = self.stale = self.again = self.unread = 0
        self.oldest_s = 0.0

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        name, now_s, image = result.frame.source, time.monotonic(), result.frame.image
        self.count += 1
        taken = taken_s(image, now_s)
        if taken is None:
            self.unread += 1
            return
        found = self.results[name]
        self.stale += now_s - taken > STALE_S
        self.oldest_s = max(self.oldest_s, now_s - taken)
        self.again += bool(found) and taken <= found[-1].taken_s
        found.append(One(now_s, taken, f"{image.shape[1]}x{image.shape[0]}"))

    def close(self) -> None:
        """See `Sink.close`."""

    def first(self, name: str, fits: Callable[[One], bool], since_s: float, limit_s: float) -> Optional[One]:
        """Waits for the first result that fits and came since then; None if none does in time."""
        until_s = time.monotonic() + limit_s
        while time.monotonic() < until_s:
            fitting = [one for one in self.between(name, since_s, time.monotonic()) if fits(one)]
            if fitting:
                return fitting[0]
            time.sleep(0.01)
        return None

    def between(self, name: str, since_s: float, until_s: float) -> List[One]:
        """The results of a source that came in this time."""
        found: List[One] = []
        for one in reversed(list(self.results[name])):
            if one.at_s < since_s:
                break
            if one.at_s <= until_s:
                found.append(one)
        return found[::-1]

    def gap_s(self, name: str, since_s: float, until_s: float) -> float:
        """The longest time without a result."""
        times = [since_s, *(one.at_s for one in self.between(name, since_s, until_s)), until_s]
        return max(b - a for a, b in zip(times, times[1:]))
