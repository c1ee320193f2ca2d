"""Lines and zones as users describe them, and their way through a tracker."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_runtime import Line, Tracker, TrackOptions, Zone
from edge_runtime.errors import UsageError
from edge_runtime.types import Detections


def test_pixels_and_fractions() -> None:
    assert Line("a", ((0, 10), (5, 20))).pixels((640, 480)).tolist() == [[0, 10], [5, 20]]
    assert Line("a", ((0, 0.5), (1, 0.5))).pixels((640, 480)).tolist() == [[0, 240], [640, 240]]
    assert Zone("a", ((0, 0), (1, 0), (1, 1))).pixels((640, 480)).tolist() == [[0, 0], [640, 0], [640, 480]]


@pytest.mark.parametrize(
    ("kind", "points", "fact"),
    [
        (Line, ((0, 0.5), (640, 0.5)), "mixes fractions with pixels"),
        (Line, ((5, 5), (5, 5)), "is no line"),
        (Line, ((5, 5), (6, 6), (7, 9)), "is no line"),
        (Line, ((5, 5), (6, -6)), r"points\[1\]\[1\] is -6"),
        (Line, ((5, 5), (6, float("nan"))), r"points\[1\]\[1\] is nan"),
        (Line, ((5, 5, 5), (6, 6, 6)), r"points\[0\] is"),
        (Line, "0,0,5,5", "points is"),
        (Zone, ((0, 0), (9, 9), (0, 0), (9, 9)), "has no area"),
        (Zone, ((0, 0), (9, 9), (18, 18)), "has no area"),
        (Zone, ((0, 0), (9, 0)), "has no area"),
    ],
)
def test_what_is_no_place_is_refused(kind: Any, points: Any, fact: str) -> None:
    with pytest.raises(UsageError, match=fact):
        kind("a", points)


def test_names_come_once_and_places_are_places() -> None:
    line, zone = Line("a", ((0, 0), (9, 9))), Zone("a", ((0, 0), (9, 9), (9, 0)))
    assert TrackOptions(lines=[line], zones=[zone]).lines == (line,)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="two of a, a have one name"):
        TrackOptions(lines=(line, line))
    with pytest.raises(UsageError, match=r"lines\[0\] is"):
        TrackOptions(lines=(zone,))  # type: ignore[arg-type]


def found(x: float) -> Detections:
    detections = Detections.from_rows(np.array([[x, 40, x + 20, 60, 0.9, 0]], np.float32), ("cat",))
    detections.image_wh = (200, 100)
    return detections


def test_a_tracker_counts() -> None:
    gate, left = Line("gate", ((0.5, 1), (0.5, 0))), Zone("left", ((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
    tracker = Tracker(TrackOptions(lines=(gate,), zones=(left,)))
    for t in range(30):
        tracker.update(found(150 - 4.0 * t), t / 8)
    assert tracker.places.lines[0].points == ((100, 100), (100, 0))
    assert (tracker.places.lines[0].in_count, tracker.places.lines[0].out_count) == (1, 0)
    assert tracker.summary() == {
        "objects": {"cat": 1},
        "lines": {"gate": {"in": {"cat": 1}, "out": {}}},
        "zones": {"left": {"objects": {"cat": 1}, "most_at_once": 1, "dwell_s": {"mean": 1.75, "longest": 1.75}}},
    }


def test_objects_without_an_id_do_not_count() -> None:
    tracker = Tracker(TrackOptions(min_hits=9, zones=(Zone("all", ((0, 0), (200, 0), (200, 100), (0, 100))),)))
    for t in range(8):
        tracker.update(found(50), t / 8)
    assert tracker.places.zones[0].inside == () and tracker.summary()["zones"]["all"]["objects"] == {}
    tracker.update(found(50), 1.0)
    assert tracker.places.zones[0].inside == ((1, 0.0),)


def test_fractions_need_the_size_of_the_image() -> None:
    boxes = Detections.from_rows(np.zeros((0, 6), np.float32))
    with pytest.raises(UsageError, match="in fractions of an unknown image"):
        Tracker(TrackOptions(lines=(Line("a", ((0, 0.5), (1, 0.5))),))).update(boxes, 0.0)
