"""Lines and zones in a frame, and what happened there: plain data, for sinks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

Point = Tuple[float, float]


@dataclass(frozen=True)
class LineState:
    """A line after a frame. `in` is from its right to its left, seen from its first point to its second.

    Attributes:
        name: as the user gave it.
        points: its two ends, image pixels.
        in_count: number of objects that crossed it so far, inwards.
        out_count: the same outwards.
        crossed: id and direction ("in" or "out") of each object that crossed it in this frame.
    """

    name: str
    points: Tuple[Point, ...]
    in_count: int
    out_count: int
    crossed: Tuple[Tuple[int, str], ...] = ()


@dataclass(frozen=True)
class ZoneState:
    """A zone after a frame.

    Attributes:
        name: as the user gave it.
        points: its corners, image pixels.
        inside: id of each object that is in it, and the seconds that it has been there.
    """

    name: str
    points: Tuple[Point, ...]
    inside: Tuple[Tuple[int, float], ...] = ()


@dataclass(frozen=True)
class PlaceStates:
    """All lines and zones of a source after a frame."""

    lines: Tuple[LineState, ...] = ()
    zones: Tuple[ZoneState, ...] = ()
