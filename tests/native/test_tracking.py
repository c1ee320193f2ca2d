from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_runtime.errors import SpecError
from edge_runtime.native.tracking import MOST_TRACKS, ByteTrack
from tests.twins import track as twin

RULE: Dict[str, Any] = {
    "sure": 0.25, "unsure": 0.1, "overlap": 0.2, "low_overlap": 0.5, "lost_s": 1.0, "min_hits": 2, "by_class": True,
}  # fmt: skip
Boxes = List[Tuple[float, float, float, float, float, int]]  # xyxy, confidence, class


def arrays(boxes: Boxes) -> Tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    rows = np.array(boxes, np.float64).reshape(-1, 6)
    xyxy, confidence = np.ascontiguousarray(rows[:, :4], np.float32), np.ascontiguousarray(rows[:, 4], np.float32)
    return xyxy, confidence, np.ascontiguousarray(rows[:, 5], np.int32)


def update(tracker: ByteTrack, boxes: Boxes, time_s: float) -> List[int]:
    given_arrays = arrays(boxes)
    ids = np.full(len(boxes), 77, np.int32)
    tracker.update(*given_arrays, time_s, ids)
    return ids.tolist()


def box(x: float, y: float = 0, size: float = 20, confidence: float = 0.9, class_id: int = 0) -> Any:
    return (x, y, x + size, y + size, confidence, class_id)


def scene(seed: int, frames: int, objects: int, step: int) -> List[Tuple[float, Boxes]]:
    """Objects on straight ways, seen with noise and gaps; false boxes; equal boxes; now and then what is no box."""
    rng = np.random.default_rng(seed)
    at, speed = rng.integers(0, 150, (objects, 2)).astype(float), rng.integers(-4, 5, (objects, 2))
    size, classes, out, time_s = rng.integers(5, 60, (objects, 2)), rng.integers(0, 2, objects), [], 0.0
    for _ in range(frames):
        time_s += float(rng.choice([0.0, 1 / 30, 1 / 30, 0.1, 1.5], p=[0.05, 0.5, 0.3, 0.12, 0.03]))
        at += speed
        seen = np.flatnonzero(rng.random(objects) < 0.85)
        near = np.round((at + rng.normal(0, 1, at.shape)) / step) * step
        rows = [(*near[i], *(near[i] + size[i]), round(rng.random(), 1), int(classes[i])) for i in seen]
        rows += [(*rng.uniform(0, 200, 4), 0.8, 0) for _ in range(rng.integers(0, 3))]
        if rows and rng.random() < 0.2:
            rows += [rows[0], (np.nan, 0, 9, 9, 0.9, 0), (0, 0, np.inf, 9, 0.9, 0), (9, 9, 9, 12, 0.9, 0)]
        out.append((time_s, rows))
    return out


@given(
    seed=st.integers(0, 10**6),
    objects=st.sampled_from([0, 1, 3, 12, 40]),
    step=st.sampled_from([1, 7]),
    by_class=st.booleans(),
    min_hits=st.sampled_from([1, 2, 4]),
    overlap=st.sampled_from([0.0, 0.2, 0.6]),
)
@settings(max_examples=60)
def test_ids_and_states_are_those_of_the_twin_to_the_bit(
    seed: int, objects: int, step: int, by_class: bool, min_hits: int, overlap: float
) -> None:
    rule = {**RULE, "by_class": by_class, "min_hits": min_hits, "overlap": overlap}
    native, numpy = ByteTrack(**rule), twin.Tracker(**rule)
    for time_s, boxes in scene(seed, 25, objects, step):
        with np.errstate(all="ignore"):
            want = numpy.update(*arrays(boxes), time_s).tolist()
        assert update(native, boxes, time_s) == want
        np.testing.assert_array_equal(native.tracks(), np.array(numpy.state()).reshape(-1, 7))


@given(
    rows=st.integers(0, 5),
    cols=st.integers(0, 5),
    seed=st.integers(0, 10**6),
    values=st.sampled_from([2, 4, 1000]),
)
def test_the_assignment_of_the_twin_has_the_greatest_gain(rows: int, cols: int, seed: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    gain = rng.integers(0, values, (rows, cols)) / values * (rng.random((rows, cols)) < 0.7)
    found = twin.assign(gain)
    pairs = [(i, j) for i, j in enumerate(found) if j >= 0]
    assert len({j for _, j in pairs}) == len(pairs) and all(gain[pair] > 0 for pair in pairs)
    wide = np.hstack([gain, np.zeros((rows, rows))])  # a row may stay alone
    best = max(sum(wide[range(rows), list(way)]) for way in itertools.permutations(range(cols + rows), rows))
    assert sum(gain[pair] for pair in pairs) == pytest.approx(best, abs=1e-12)


def test_an_object_has_its_id_from_its_second_frame_on() -> None:
    tracker = ByteTrack(**RULE)
    ways = [update(tracker, [box(2.0 * t), box(100 - 2.0 * t, 50)], t / 30) for t in range(4)]
    assert ways == [[-1, -1], [1, 2], [1, 2], [1, 2]]


def test_an_unsure_box_goes_on_with_a_track_and_begins_none() -> None:
    tracker = ByteTrack(**RULE)
    sure, unsure = box(0), box(0, confidence=0.15)
    assert [update(tracker, [each], t / 30) for t, each in enumerate([sure, sure, unsure, sure])] == [
        [-1], [1], [1], [1],
    ]  # fmt: skip
    assert [update(tracker, [box(90, confidence=0.15)], 1 + t / 30) for t in range(3)] == [[-1]] * 3
    assert update(tracker, [box(0, confidence=0.05)], 1.2) == [-1]


def test_an_object_behind_another_is_found_again_on_its_way() -> None:
    tracker = ByteTrack(**RULE)
    for t in range(20):
        update(tracker, [box(4.0 * t)], t / 30)
    for t in range(20, 40):
        assert update(tracker, [], t / 30) == []
    assert update(tracker, [box(4.0 * 40)], 40 / 30) == [1]


def test_an_unsure_box_of_a_lost_object_does_not_go_to_the_object_before_it() -> None:
    tracker = ByteTrack(**RULE)
    for t in range(3):
        update(tracker, [box(0, size=40), box(60, size=40)], t / 30)
    front = [(60 - 3.0 * t, 0.0) for t in range(17)]  # it comes before the first, of which nothing is seen then
    for t, (x, y) in enumerate(front):
        assert update(tracker, [box(x, y, 40)], (3 + t) / 30) == [2]
    assert update(tracker, [box(2, size=40, confidence=0.15)], 20 / 30) == [1]


def test_crossing_objects_keep_their_ids() -> None:
    tracker = ByteTrack(**RULE)
    for t in range(60):
        boxes = [box(3.0 * t, 0), box(180 - 3.0 * t, 8)]
        ids = update(tracker, boxes, t / 30)
        assert t == 0 or ids == [1, 2], t


@pytest.mark.parametrize(("away_s", "id_after"), [(0.9, 1), (1.1, 2)])
@pytest.mark.parametrize("fps", [5, 30, 120])
def test_a_track_ends_by_time_and_not_by_frames(fps: int, away_s: float, id_after: int) -> None:
    tracker = ByteTrack(**{**RULE, "min_hits": 1})
    times = [t / fps for t in range(10)]
    assert {update(tracker, [box(0)], t)[0] for t in times} == {1}
    assert update(tracker, [box(0)], times[-1] + away_s) == [id_after]


@given(dropped=st.sets(st.integers(10, 37)), speed=st.floats(-3, 3))
@example(dropped=set(range(10, 38)), speed=3.0)
def test_dropped_frames_change_no_id(dropped: set, speed: float) -> None:
    """Once the filter has seen how fast an object is: after two frames it does not know yet."""
    tracker = ByteTrack(**RULE)
    for t in range(10):
        update(tracker, [box(speed * t), box(200 + speed * t)], t / 30)
    for t in sorted(set(range(10, 40)) - dropped):
        assert update(tracker, [box(speed * t), box(200 + speed * t)], t / 30) == [1, 2]


@given(first=st.floats(0.1, 20), then=st.floats(0.1, 20))
def test_one_long_step_is_two_short_ones(first: float, then: float) -> None:
    one, two = (twin.Kalman(np.array([10.0, 20, 40, 90])) for _ in range(2))
    for each in (one, two):
        each.predict(1)
        each.correct(np.array([12.0, 21, 42, 91]))
        each.state[3, 1] = 0  # the noise goes by the height, which must stay
    one.predict(first + then)
    two.predict(first)
    two.predict(then)
    np.testing.assert_allclose(one.state, two.state, rtol=1e-9)
    np.testing.assert_allclose(one.cov, two.cov, rtol=1e-9)
    assert (one.cov[:, 0, 0] * one.cov[:, 1, 1] > one.cov[:, 0, 1] ** 2).all()


@pytest.mark.parametrize(("by_class", "ids"), [(True, [-1, 1]), (False, [1, -1])])
def test_a_track_has_boxes_of_one_class_unless_it_may_have_any(by_class: bool, ids: List[int]) -> None:
    tracker = ByteTrack(**{**RULE, "by_class": by_class})
    for t in range(3):
        update(tracker, [box(0)], t / 30)
    assert update(tracker, [box(0, class_id=1), box(6)], 0.1) == ids


def test_time_that_goes_back_ends_all_tracks_and_gives_no_id_twice() -> None:
    tracker = ByteTrack(**{**RULE, "min_hits": 1})
    assert update(tracker, [box(0)], 5.0) == [1] == update(tracker, [box(0)], 5.0)
    assert update(tracker, [box(0)], 4.0) == [2]
    tracker.end_all()
    assert len(tracker.tracks()) == 0 and update(tracker, [box(0)], 4.01) == [3]


def test_tracks_and_boxes_are_bounded() -> None:
    tracker = ByteTrack(**{**RULE, "min_hits": 1})
    crowd = [box(30.0 * (i % 60), 30.0 * (i // 60)) for i in range(MOST_TRACKS + 5)]
    ids = update(tracker, crowd, 0.0)
    assert ids == [*range(1, MOST_TRACKS + 1), *[-1] * 5]
    assert update(tracker, [box(-500)], 0.1) == [-1] and len(tracker.tracks()) == MOST_TRACKS
    assert update(tracker, crowd, 0.2) == ids


def resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_memory_does_not_grow_in_100000_frames() -> None:
    tracker, rng = ByteTrack(**RULE), np.random.default_rng(0)
    starts = rng.uniform(0, 600, (64, 12, 2)).astype(np.float32)
    frames = [np.concatenate([start, start + 40], axis=1) for start in starts]
    confidence, classes, ids = np.full(12, 0.9, np.float32), np.zeros(12, np.int32), np.zeros(12, np.int32)
    for t in range(100_000):
        tracker.update(frames[t // 3 % 64], confidence, classes, t / 30, ids)
        if t == 20_000:
            before = resident()
    assert ids.max() > 10_000 and len(tracker.tracks()) < 500
    assert resident() - before < 1 << 20


@pytest.mark.parametrize(
    ("change", "fact"),
    [({"overlap": -0.1}, "too small"), ({"lost_s": np.nan}, "finite"), ({"min_hits": 0}, "too small")],
)
def test_a_rule_that_makes_no_sense_is_refused(change: Dict[str, Any], fact: str) -> None:
    with pytest.raises(SpecError, match=fact):
        ByteTrack(**{**RULE, **change})


@pytest.mark.parametrize(
    ("place", "value", "fact"),
    [
        (0, np.zeros((2, 4)), "xyxy is"),
        (0, np.zeros((2, 5), np.float32), "xyxy is"),
        (1, np.zeros(3, np.float32), "confidence is"),
        (2, np.zeros(2, np.int64), "class_id is"),
        (3, np.nan, "time is not finite"),
        (4, np.zeros(1, np.int32), "ids is"),
    ],
)
def test_what_does_not_fit_is_refused(place: int, value: Any, fact: str) -> None:
    fitting: List[Any] = [*arrays([box(0), box(1)]), 0.0, np.zeros(2, np.int32)]
    fitting[place] = value
    with pytest.raises(SpecError, match=fact):
        ByteTrack(**RULE).update(*fitting)
