"""Where the names of a plot's points stand: clear of other names, of points and of lines, if there is such a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, Iterator, List, Sequence, Tuple

Box = Tuple[float, float, float, float]  # left, bottom, right, top; all lengths are points, 1/72 inch
LETTER, LINE = 4.5, 8.0  # a letter's width and a line's height
ASIDE = (5.0, 14.0)  # from a point to its name beside it
SHIFTS = (-3, 3, -9, 9, -16, 16, -24, 24, -34, 34)  # from a point to the lower edge of its name beside it
RADIUS = 3.0  # of a point
HALF = 1.5  # of the width of a line, with some air
# What a square point of overlap costs, and a point of distance. A line through a name is thin, and hurts most.
OF_OTHER, OF_LINE, OUTSIDE, FAR = 2.0, 3.0, 9.0, 0.6
LEADER = 12.0  # a name that is further up or down than this needs a line to its point


@dataclass(frozen=True)
class Name:
    """Where a name stands.

    Attributes:
        side: 1 right of the point, -1 left of it.
        shift: from the point to the end of the name that is next to it, (right, up).
        box: what it covers.
    """

    side: int
    shift: Tuple[float, float]
    box: Box

    @property
    def far(self) -> bool:
        """Whether a line must show which point is meant."""
        return abs(self.shift[1] + LINE / 2) > LEADER


def places(
    points: Sequence[Tuple[float, float]], names: Sequence[str], lines: Iterable[Box], inside: Box, first: Sequence[int]
) -> List[Name]:
    """Finds a place for each name.

    Args:
        points: (x, y) of each.
        lines: upright and level lines, as boxes without a width.
        inside: the part that is drawn on.
        first: numbers of the points that choose first.
    """
    dots = [_wider((x, y, x, y), RADIUS) for x, y in points]
    walls = [_wider(line, HALF) for line in lines]
    found: Dict[int, Name] = {}
    for number in sorted(range(len(points)), key=lambda number: number not in first):
        others = [*dots, *(name.box for name in found.values())]
        near = _around(points[number], LETTER * len(names[number]))
        found[number] = min(near, key=lambda name: _cost(name, others, walls, inside))
    return [found[number] for number in range(len(points))]


def _around(point: Tuple[float, float], wide: float) -> Iterator[Name]:
    """Places near a point, the nearest first."""
    x, y = point
    for aside in ASIDE:
        for up in SHIFTS:
            for side in (1, -1):
                left = x + aside if side > 0 else x - aside - wide
                yield Name(side, (side * aside, up), (left, y + up, left + wide, y + up + LINE))


def _cost(name: Name, others: Sequence[Box], walls: Sequence[Box], inside: Box) -> float:
    size = (name.box[2] - name.box[0]) * LINE
    hidden = OF_OTHER * sum(_overlap(name.box, other) for other in others)
    crossed = OF_LINE * sum(_overlap(name.box, wall) for wall in walls)
    away = FAR * (abs(name.shift[0]) + abs(name.shift[1] + LINE / 2))
    return hidden + crossed + OUTSIDE * (size - _overlap(name.box, inside)) + away


def _wider(box: Box, by: float) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _overlap(one: Box, other: Box) -> float:
    """The area that two boxes have in common."""
    width, height = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)
