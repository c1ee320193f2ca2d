"""Lines and zones: who crosses and which way, who is inside and for how long; beside supervision's."""

from __future__ import annotations

from typing import Any, List, Tuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_runtime.track.counting import LineCounter, Seen, ZoneCounter, inside
from edge_runtime.types import Detections

LINE = np.array([[100.0, 100], [300, 100]])  # to the right, so its left is above
SQUARE = np.array([[100.0, 100], [300, 100], [300, 300], [100, 300]])


def seen(time_s: float, *objects: Tuple[int, float, float]) -> Seen:
    """Objects of 20x20 pixels by id and the middle of their lower edge."""
    boxes = np.array([[x - 10, y - 20, x + 10, y] for _, x, y in objects], np.float64).reshape(-1, 4)
    return Seen(boxes, [number for number, _, _ in objects], ["car" if n % 2 else "bus" for n, _, _ in objects], time_s)


def crossings(*ys: Any, x: float = 200) -> List[str]:
    """The crossings of an object with these heights, one frame each at 8 FPS; None is a frame without it."""
    counter, out = LineCounter("gate", 1.0), []
    for t, y in enumerate(ys):
        state = counter.update(seen(t / 8, *([] if y is None else [(1, x, y)])), LINE)
        out += [way for _, way in state.crossed]
    assert (state.in_count, state.out_count) == (out.count("in"), out.count("out"))
    return out


def test_both_ways_are_counted_once() -> None:
    assert crossings(200, 150, 110, 95, 60) == ["in"]
    assert crossings(60, 95, 110, 125, 160) == ["out"]
    assert crossings(60, 160, 60, 160) == ["out", "in", "out"]


def test_a_box_on_the_line_has_not_crossed_it() -> None:
    assert crossings(150, 110, 105, 110, 150) == []


def test_a_way_beside_the_line_is_no_crossing() -> None:
    assert crossings(200, 60, x=95) == crossings(200, 60, x=305) == [] and crossings(200, 60, x=110) == ["in"]


def test_an_object_is_remembered_as_long_as_its_id() -> None:
    assert crossings(150, *[None] * 7, 60) == ["in"]
    assert crossings(150, *[None] * 8, 60) == []


def test_counts_by_class_and_an_end() -> None:
    counter = LineCounter("gate", 1.0)
    counter.update(seen(0.0, (1, 200, 150), (2, 250, 60)), LINE)
    state = counter.update(seen(0.1, (1, 200, 60), (2, 250, 150)), LINE)
    assert state.crossed == ((1, "in"), (2, "out")) and state.points == ((100, 100), (300, 100))
    assert counter.summary() == {"in": {"car": 1}, "out": {"bus": 1}}
    counter.end_all()
    assert counter.update(seen(0.2, (1, 200, 150)), LINE).crossed == ()


def test_stays_are_timed_by_the_frames_times() -> None:
    counter, states = ZoneCounter("yard", 1.0), []
    for t, objects in [
        (0.0, [(1, 50, 200)]),
        (1.0, [(1, 150, 200), (2, 200, 200)]),
        (1.5, [(1, 160, 200)]),  # the second is not seen for a moment
        (1.75, [(1, 170, 200), (2, 200, 210)]),
        (3.0, [(1, 350, 200)]),  # the first has left, the second has vanished
        (3.1, []),
    ]:
        states.append(counter.update(seen(t, *objects), SQUARE).inside)
    assert states == [(), ((1, 0.0), (2, 0.0)), ((1, 0.5),), ((1, 0.75), (2, 0.75)), (), ()]
    found = {"objects": {"car": 1, "bus": 1}, "most_at_once": 2, "dwell_s": {"mean": 0.75, "longest": 0.75}}
    assert counter.summary() == found


def test_a_second_visit_is_another_and_one_that_goes_on_counts_so_far() -> None:
    counter = ZoneCounter("yard", 1.0)
    for t, x in [(0, 150), (1, 150), (2, 350), (3, 150), (3.5, 150)]:
        counter.update(seen(t, (1, x, 200)), SQUARE)
    found = {"objects": {"car": 2}, "most_at_once": 1, "dwell_s": {"mean": 0.75, "longest": 1.0}}
    assert counter.summary() == found
    counter.end_all()
    assert counter.summary() == found


def test_without_a_visit_there_is_no_time() -> None:
    assert ZoneCounter("yard", 1.0).summary() == {"objects": {}, "most_at_once": 0, "dwell_s": {}}


def test_a_polygon_with_a_dent() -> None:
    dented = np.array([[0.0, 0], [100, 0], [100, 100], [50, 20], [0, 100]])
    points = {(10, 80): True, (50, 80): False, (90, 80): True, (50, 10): True, (-5, 50): False, (50, 120): False}
    boxes = np.array([[x - 1, 0, x + 1, y] for x, y in points], np.float64)
    assert inside(boxes, dented).tolist() == list(points.values())


def test_the_border_is_inside() -> None:
    at = {(100, 100): True, (300, 200): True, (200, 300): True, (99.6, 150): True, (99, 150): False, (200, 301): False}
    boxes = np.array([[x - 5, 0, x + 5, y] for x, y in at], np.float64)
    assert inside(boxes, SQUARE).tolist() == list(at.values())


def walk(seed: int, frames: int) -> List[Detections]:
    """Objects that wander about. Each is missing in some frames, but never in two one after the other."""
    rng = np.random.default_rng(seed)
    at, speed, size = rng.uniform(0, 400, (8, 2)), rng.uniform(-25, 25, (8, 2)), rng.uniform(8, 50, (8, 2))
    missing, out = np.zeros(8, bool), []
    for _ in range(frames):
        at += speed
        speed[(at < 0) | (at > 400)] *= -1
        missing = ~missing & (rng.random(8) < 0.2)
        xyxy = np.concatenate([at, at + size], axis=1)[~missing].astype(np.float32)
        classes, ids = np.arange(8)[~missing] % 3, np.arange(1, 9)[~missing]
        out.append(Detections(xyxy, np.full(len(xyxy), 0.9, np.float32), classes.astype(np.int32), ("a", "b", "c")))
        out[-1].tracker_id = ids.astype(np.int32)
    return out


def as_seen(found: Detections, time_s: float) -> Seen:
    labels = [found.label(i) for i in range(len(found))]
    assert found.tracker_id is not None
    return Seen(found.xyxy.astype(np.float64), found.tracker_id.tolist(), labels, time_s)


@given(seed=st.integers(0, 10**6), ends=st.lists(st.integers(20, 380), min_size=4, max_size=4))
@settings(max_examples=30, deadline=None)
def test_crossings_are_those_of_supervision(seed: int, ends: List[int]) -> None:
    sv = pytest.importorskip("supervision", "0.31", reason="needs supervision 0.31: pip install '.[supervision]'")
    assume(ends[:2] != ends[2:])
    ours, theirs = LineCounter("x", 1.0), sv.LineZone(sv.Point(*ends[:2]), sv.Point(*ends[2:]))
    line = np.array(ends, np.float64).reshape(2, 2)
    for t, found in enumerate(walk(seed, 40)):
        state = ours.update(as_seen(found, t / 30), line)
        into, out = theirs.trigger(found.to_supervision())
        want = {**dict.fromkeys(found.tracker_id[into], "in"), **dict.fromkeys(found.tracker_id[out], "out")}
        assert dict(state.crossed) == want
    assert ours.summary()["in"] == {"abc"[k]: n for k, n in theirs.in_count_per_class.items()}
    assert ours.summary()["out"] == {"abc"[k]: n for k, n in theirs.out_count_per_class.items()}


def border_distance(points: Any, polygon: Any) -> Any:
    """(n,) distance of points (n, 2) from the border of a polygon."""
    way = np.roll(polygon, -1, axis=0) - polygon
    away = points[:, None] - polygon
    part = np.clip((away * way).sum(-1) / np.maximum((way * way).sum(-1), 1e-9), 0, 1)
    return np.linalg.norm(away - part[..., None] * way, axis=-1).min(axis=1)


@given(seed=st.integers(0, 10**6), corners=st.integers(3, 6))
@settings(max_examples=30, deadline=None)
def test_zones_are_those_of_supervision_but_for_a_pixel_at_the_border(seed: int, corners: int) -> None:
    sv = pytest.importorskip("supervision", "0.31", reason="needs supervision 0.31: pip install '.[supervision]'")
    polygon = np.random.default_rng(seed).integers(0, 400, (corners, 2))
    theirs = sv.PolygonZone(polygon)
    for found in walk(seed, 20):
        points = np.stack([(found.xyxy[:, 0] + found.xyxy[:, 2]) / 2, found.xyxy[:, 3]], axis=1)
        clear = border_distance(points, polygon.astype(float)) > 1.5
        got = inside(found.xyxy.astype(np.float64), polygon.astype(np.float64))
        np.testing.assert_array_equal(got[clear], theirs.trigger(found.to_supervision())[clear])
