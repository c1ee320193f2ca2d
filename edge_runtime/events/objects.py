"""What is known of one object since it got its id, in a bounded place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

from edge_runtime.types import Detection

MOST_POINTS = 32
MOST_CROSSINGS = 100


class Path:
    """The way of an object: at most `MOST_POINTS` points at even distances in time, and the last one."""

    def __init__(self) -> None:
        self._points: List[Tuple[float, float, float]] = []
        self._last: List[Tuple[float, float, float]] = []
        self._step, self._count = 1, 0

    def add(self, after_s: float, box: Tuple[float, float, float, float]) -> None:
        """The middle of the lower edge of a box, and the seconds since the first one."""
        point = round(after_s, 3), round((box[0] + box[2]) / 2, 1), round(box[3], 1)
        if self._count % self._step == 0:
            self._points.append(point)
        self._last, self._count = [point], self._count + 1
        if len(self._points) > MOST_POINTS:
            self._points, self._step = self._points[::2], self._step * 2

    def summary(self) -> List[Tuple[float, float, float]]:
        """(seconds since the first one, x, y) of each point."""
        return self._points + [point for point in self._last if point != self._points[-1]]


@dataclass
class Stay:
    """The visits of an object to a zone: their number, the seconds of earlier ones and of the last one."""

    visits: int = 0
    earlier_s: float = 0.0
    last_s: float = 0.0
    inside: bool = False

    def enter(self, stay_s: float) -> None:
        """It is inside, and has been for so long."""
        if not self.inside or stay_s < self.last_s:
            self.visits += 1
            self.earlier_s += self.last_s
        self.last_s, self.inside = stay_s, True


class Tracked:
    """One object.

    Attributes:
        key: see `Event`.
        number: its id.
        last_s: when it was last seen, by the source's clock.
        zones: names of the zones that it is in.
        picture_score: of the best picture so far; 0 without one.
        told_s: time of the last event with its data.
        changed: what changed since then: "zone", "picture" or nothing.
    """

    def __init__(self, key: str, number: int, time_s: float) -> None:
        self.key, self.number, self.last_s, self.told_s = key, number, time_s, time_s
        self._first_s, self._frames, self._confidence = time_s, 0, 0.0
        self._votes: Counter[Tuple[int, str]] = Counter()
        self._stays: Dict[str, Stay] = {}
        self._crossed: List[Dict[str, Any]] = []
        self._path = Path()
        self.zones: Sequence[str] = ()
        self.picture_score, self.changed = 0.0, ""

    def see(self, box: Detection, time_s: float, zones: Dict[str, float]) -> None:
        """It is in a frame, and in these zones, in each for so many seconds."""
        self.last_s, self._box = time_s, box
        self._frames += 1
        self._confidence = max(self._confidence, box.confidence)
        self._votes[box.class_id, box.label] += 1
        self._path.add(time_s - self._first_s, box.xyxy)
        for name, stay in self._stays.items():
            stay.inside = stay.inside and name in zones
        for name, stay_s in zones.items():
            self._stays.setdefault(name, Stay()).enter(stay_s)
        if set(zones) != set(self.zones):
            self.zones, self.changed = tuple(zones), "zone"

    def cross(self, line: str, way: str) -> None:
        """It crossed a line in the last frame."""
        if len(self._crossed) < MOST_CROSSINGS:
            self._crossed.append({"line": line, "direction": way, "at_s": round(self.last_s, 3)})

    def now(self) -> Dict[str, Any]:
        """Plain data of the last frame. The class is the one that it was taken for most often."""
        box = self._box
        return {
            **self._name(),
            "confidence": round(box.confidence, 4),
            "box": [round(value, 2) for value in box.xyxy],
            "age_s": round(self.last_s - self._first_s, 3),
            "zones": list(self.zones),
        }

    def whole(self) -> Dict[str, Any]:
        """Plain data of all frames. Times are those of the source's clock."""
        return {
            **self._name(),
            "confidence": round(self._confidence, 4),
            "first_s": round(self._first_s, 3),
            "last_s": round(self.last_s, 3),
            "duration_s": round(self.last_s - self._first_s, 3),
            "frames": self._frames,
            "classes": {label: count for (_, label), count in self._votes.most_common()},
            "box": [round(value, 2) for value in self._box.xyxy],
            "path": self._path.summary(),
            "stays": {name: {"visits": stay.visits, "dwell_s": round(stay.earlier_s + stay.last_s, 3)}
                      for name, stay in self._stays.items()},
            "crossed": self._crossed,
        }  # fmt: skip

    def _name(self) -> Dict[str, Any]:
        class_id, label = self._votes.most_common(1)[0][0]
        return {"tracker_id": self.number, "class_id": class_id, "label": label}
