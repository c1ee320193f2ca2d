"""Counts objects that cross lines and objects in zones, with the seconds that they stay there.

The rules are those of supervision's LineZone and PolygonZone, with two differences. An object that was not seen for a
while is remembered as long as it keeps its id, not for one frame. And points of zones are not rounded to pixels.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.types.places import LineState, Point, ZoneState

Floats = NDArray[np.float64]
BORDER = 0.5  # pixels


@dataclass(frozen=True)
class Seen:
    """The objects of a frame: boxes (n, 4) in pixels, ids (n,), class names, and the time in seconds."""

    xyxy: Floats
    ids: List[int]
    labels: List[str]
    time_s: float


def sides(xyxy: Floats, start: Floats, end: Floats) -> Tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where boxes (n, 4) are beside a line: (n,) whether a box is to judge, and (n,) whether it is on the left.

    A box that lies on the line is not to judge, nor is one of which a corner is before the line's start or behind its
    end. Left is seen from start to end, with y down: above a line that goes to the right.
    """
    corners = xyxy[:, [[0, 1], [2, 1], [0, 3], [2, 3]]] - start
    way = end - start
    along = corners @ way
    left = way[0] * corners[..., 1] - way[1] * corners[..., 0] < 0
    beside = ((along >= 0) & (along <= way @ way)).all(axis=1)
    return beside & (left.all(axis=1) | ~left.any(axis=1)), left.all(axis=1)


def inside(xyxy: Floats, polygon: Floats) -> NDArray[np.bool_]:
    """(n,) whether the middle of each box's lower edge is in a polygon (k, 2), by the even-odd rule.

    The border is inside, with half a pixel: a box that the image cuts off below ends where the image ends.
    """
    x, y = ((xyxy[:, 0] + xyxy[:, 2]) / 2)[:, None], xyxy[:, 3][:, None]
    (x1, y1), (x2, y2) = polygon.T, np.roll(polygon, -1, axis=0).T
    spans = (y1 <= y) != (y2 <= y)
    at = x1 + (y - y1) / np.where(y1 == y2, 1.0, y2 - y1) * (x2 - x1)
    odd = (spans & (x < at)).sum(axis=1) % 2 == 1
    dx, dy = x2 - x1, y2 - y1
    part = np.clip(((x - x1) * dx + (y - y1) * dy) / np.maximum(dx * dx + dy * dy, 1e-9), 0, 1)
    found: NDArray[np.bool_] = odd | (np.hypot(x - x1 - part * dx, y - y1 - part * dy) <= BORDER).any(axis=1)
    return found


class LineCounter:
    """Counts the objects that cross one line.

    Attributes:
        counts: by direction, "in" or "out", the number of objects by class name.
    """

    def __init__(self, name: str, keep_s: float) -> None:
        self._name, self._keep_s = name, keep_s
        self.counts: Dict[str, Counter[str]] = {"in": Counter(), "out": Counter()}
        self._left: Dict[int, bool] = {}
        self._seen_s: Dict[int, float] = {}

    def update(self, seen: Seen, points: Floats) -> LineState:
        """Takes the objects of the next frame, and the line (2, 2) in pixels."""
        for number in [number for number, last_s in self._seen_s.items() if seen.time_s - last_s > self._keep_s]:
            del self._seen_s[number]
            self._left.pop(number, None)
        self._seen_s.update(dict.fromkeys(seen.ids, seen.time_s))
        crossed = []
        judged, left_of = (found.tolist() for found in sides(seen.xyxy, *points))
        for label, number, known, left in zip(seen.labels, seen.ids, judged, left_of):
            if known and self._left.setdefault(number, left) != left:
                self._left[number] = left
                crossed.append((number, "in" if left else "out"))
                self.counts[crossed[-1][1]][label] += 1
        into, out = (sum(self.counts[way].values()) for way in ("in", "out"))
        return LineState(self._name, as_points(points), into, out, tuple(crossed))

    def state(self) -> Dict[str, Any]:
        """Plain data for `restore`."""
        seen = [[number, last_s, self._left.get(number)] for number, last_s in self._seen_s.items()]
        return {"counts": {way: dict(counts) for way, counts in self.counts.items()}, "seen": seen}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from another counter's state."""
        self.counts = {way: restored(state["counts"][way]) for way in ("in", "out")}
        self._seen_s = {int(number): float(last_s) for number, last_s, _ in state["seen"]}
        self._left = {int(number): bool(left) for number, _, left in state["seen"] if left is not None}

    def end_all(self) -> None:
        """Forgets where objects were."""
        self._left.clear()
        self._seen_s.clear()

    def summary(self) -> Dict[str, Dict[str, int]]:
        """Plain data: by direction and class name."""
        return {way: dict(counts.most_common()) for way, counts in self.counts.items()}


class ZoneCounter:
    """Counts the objects in one zone, and times them.

    Attributes:
        objects: number of objects that came in, by class name.
        most: the most objects that were inside at once.
    """

    def __init__(self, name: str, keep_s: float) -> None:
        self._name, self._keep_s = name, keep_s
        self.objects: Counter[str] = Counter()
        self.most = self._ended = 0
        self._total_s = self._longest_s = 0.0
        self._visits: Dict[int, Tuple[float, float]] = {}  # of each object inside: since when, and last seen

    def update(self, seen: Seen, points: Floats) -> ZoneState:
        """Takes the objects of the next frame, and the corners (k, 2) in pixels."""
        now = []
        for label, number, within in zip(seen.labels, seen.ids, inside(seen.xyxy, points).tolist()):
            if within:
                since_s, last_s = self._visits.get(number, (seen.time_s, seen.time_s))
                if seen.time_s - last_s > self._keep_s:
                    self._end(number)
                    since_s = seen.time_s
                if number not in self._visits:
                    self.objects[label] += 1
                self._visits[number] = since_s, seen.time_s
                now.append((number, seen.time_s - since_s))
            elif number in self._visits:
                self._end(number)
        for number in [n for n, (_, last_s) in self._visits.items() if seen.time_s - last_s > self._keep_s]:
            self._end(number)
        self.most = max(self.most, len(now))
        return ZoneState(self._name, as_points(points), tuple(now))

    def state(self) -> Dict[str, Any]:
        """Plain data for `restore`."""
        visits = [[number, *times] for number, times in self._visits.items()]
        ended = {"most": self.most, "ended": self._ended, "total_s": self._total_s, "longest_s": self._longest_s}
        return {"objects": dict(self.objects), "visits": visits, **ended}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from another counter's state."""
        self.objects = restored(state["objects"])
        self.most, self._ended = int(state["most"]), int(state["ended"])
        self._total_s, self._longest_s = float(state["total_s"]), float(state["longest_s"])
        self._visits = {int(number): (float(since_s), float(last_s)) for number, since_s, last_s in state["visits"]}

    def end_all(self) -> None:
        """Ends all visits."""
        for number in list(self._visits):
            self._end(number)

    def summary(self) -> Dict[str, Any]:
        """Plain data: objects by class, the most at once, and seconds inside (visits that go on count so far)."""
        lengths = [last_s - since_s for since_s, last_s in list(self._visits.values())]
        visits = self._ended + len(lengths)
        mean_s = (self._total_s + sum(lengths)) / visits if visits else 0.0
        stay = {"mean": round(mean_s, 3), "longest": round(max([self._longest_s, *lengths]), 3)} if visits else {}
        return {"objects": dict(self.objects.most_common()), "most_at_once": self.most, "dwell_s": stay}

    def _end(self, number: int) -> None:
        since_s, last_s = self._visits.pop(number)
        self._ended += 1
        self._total_s += last_s - since_s
        self._longest_s = max(self._longest_s, last_s - since_s)


def restored(counts: Mapping[Any, Any]) -> Counter[str]:
    """A counter from plain data. Raises an error of any kind if it is none."""
    return Counter({str(name): int(count) for name, count in counts.items()})


def as_points(points: Floats) -> Tuple[Point, ...]:
    """(k, 2) as plain data."""
    return tuple((x, y) for x, y in points.tolist())
