"""A tracker that goes on from another's state gives the same ids, lines and zones."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import numpy as np
import pytest

from edge_runtime.errors import SpecError
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.places import Line, Zone
from edge_runtime.track.tracker import Tracker
from edge_runtime.types import Detections

LINES = (Line("middle", ((0.5, 0), (0.5, 1))),)
ZONES = (Zone("right", ((0.5, 0), (1, 0), (1, 1), (0.5, 1))),)
OPTIONS = TrackOptions(lines=LINES, zones=ZONES)


def frames(count: int) -> List[Detections]:
    """Five objects that cross the picture at different speeds, and are seen with gaps."""
    rng, found = np.random.default_rng(7), []
    for number in range(count):
        x = np.arange(5) * 40 + number * np.array([5, -4, 3, 6, 2.0]) + rng.normal(0, 1, 5)
        y = np.arange(5) * 60 + rng.normal(0, 1, 5)
        boxes = np.stack([x, y, x + 30, y + 50], axis=1).astype(np.float32)[rng.random(5) > 0.2]
        scores = np.linspace(0.9, 0.15, len(boxes), dtype=np.float32)
        found.append(Detections(boxes, scores, np.zeros(len(boxes), np.int32), ("a",), image_wh=(320, 300)))
    return found


def ran(tracker: Tracker, seen: List[Detections], first: int) -> List[Any]:
    return [(tracker.update(each, (first + n) / 30).tracker_id.tolist(), tracker.places) for n, each in enumerate(seen)]


@pytest.mark.parametrize("at", [1, 2, 17, 40])
def test_it_goes_on_from_any_frame(at: int) -> None:
    seen, whole = frames(60), Tracker(OPTIONS)
    expected = ran(whole, seen[:at], 0)
    state = json.loads(json.dumps(whole.state()))
    expected = ran(whole, seen[at:], at)
    other = Tracker.restored(state, OPTIONS)
    assert ran(other, seen[at:], at) == expected and other.summary() == whole.summary()
    assert max(max(ids, default=0) for ids, _ in expected) > 3


def test_thresholds_that_have_changed_since(at: int = 20) -> None:
    seen, whole = frames(60), Tracker(OPTIONS)
    ran(whole, seen[:at], 0)
    later = TrackOptions(track_threshold=0.5, low_threshold=0.2, zones=ZONES)
    whole.change(later)
    other = Tracker.restored(json.loads(json.dumps(whole.state())), later)
    assert ran(other, seen[at:], at) == ran(whole, seen[at:], at)


def test_ids_that_were_given_before_a_restart(at: int = 20) -> None:
    seen, whole = frames(60), Tracker(OPTIONS)
    ran(whole, seen[:10], 0)
    later = TrackOptions(min_hits=1, lines=LINES, zones=ZONES)
    whole.restart(later)
    ran(whole, seen[10:at], 10)
    other = Tracker.restored(json.loads(json.dumps(whole.state())), later)
    assert ran(other, seen[at:], at) == ran(whole, seen[at:], at)


@pytest.mark.parametrize(
    "change",
    [
        {"core": [[[1.0] * 24], 0.0, 1]},
        {"core": [[[1e400] * 25], 0.0, 1]},
        {"core": [[[1.5] * 25], 0.0, 1]},
        {"core": [[[9.0] * 25], 0.0, 1]},
        {"core": [[[1.0] * 25] * 1001, 0.0, 1]},
        {"core": [[], 0.0, -1]},
        {"core": [[], 0.0, 1 << 40]},
        {"core": [[], 0.0, (1 << 31) - 1]},
        {"core": None},
        {"first": [2, 3]},
        {"image_wh": "x"},
        {"given": 1 << 40},
        {"given": -1},
        {"lines": [{"counts": {"in": {"a": "x"}, "out": {}}, "seen": []}]},
        {"lines": [{}]},
        {"zones": [{"visits": [[1]]}]},
        {"objects": []},
    ],
)
def test_what_is_no_state_is_refused(change: Dict[str, Any]) -> None:
    tracker = Tracker(OPTIONS)
    ran(tracker, frames(3), 0)
    with pytest.raises(SpecError, match="state of a tracker"):
        Tracker.restored({**tracker.state(), **change}, OPTIONS)
