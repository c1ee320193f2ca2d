"""Ids of one source and of several; what ends them."""

from __future__ import annotations

import itertools
from typing import List, Optional, Tuple

import numpy as np
import pytest

from edge_runtime import Tracker, TrackOptions
from edge_runtime.errors import SpecError, UsageError
from edge_runtime.track.tracker import SourceTrackers
from edge_runtime.types import Detections, Frame

AT = (10, 10, 40, 50)


def found(*rows: Tuple[float, ...], image_wh: Tuple[int, int] = (640, 480)) -> Detections:
    detections = Detections.from_rows(np.array(rows, np.float32).reshape(-1, 6), ("cat", "dog"))
    detections.image_wh = image_wh
    return detections


def ids(tracker: Tracker, times: List[float], image_wh: Tuple[int, int] = (640, 480)) -> List[int]:
    return [int(tracker.update(found((*AT, 0.9, 0), image_wh=image_wh), t).tracker_id[0]) for t in times]


def test_boxes_get_ids_and_unsure_boxes_without_one_are_left_out() -> None:
    tracker = Tracker()
    for t in range(3):
        got = tracker.update(found((*AT, 0.9, 0), (200, 200, 240, 240, 0.5, 1), (300, 9, 340, 40, 0.15, 1)), t / 30)
        assert got.tracker_id.dtype == np.int32 and got.image_wh == (640, 480)
        assert got.tracker_id.tolist() == ([-1, -1] if t == 0 else [1, 2])
    got = tracker.update(found((*AT, 0.15, 0), (300, 9, 340, 40, 0.15, 1)), 0.1)
    assert got.tracker_id.tolist() == [1] and got.confidence[0] == pytest.approx(0.15)
    assert tracker.objects == {"cat": 1, "dog": 1}


def test_nothing_found_has_ids_too() -> None:
    assert Tracker().update(found(), 0.0).tracker_id.tolist() == []


def test_boxes_of_other_layouts_are_taken() -> None:
    wide = np.array([[*AT, 0.9, 0]] * 2, np.float64)
    detections = Detections(wide[:, :4], wide[:, 4], wide[:, 5].astype(int))
    assert Tracker(TrackOptions(min_hits=1)).update(detections, 0.0).tracker_id.tolist() == [1, 2]


def test_another_size_of_the_image_ends_all_tracks() -> None:
    tracker = Tracker()
    assert ids(tracker, [0.0, 0.1]) == [-1, 1]
    assert ids(tracker, [0.2, 0.3], image_wh=(320, 240)) == [-1, 2]


def test_a_time_that_is_no_number_is_refused() -> None:
    with pytest.raises(SpecError, match="time is not finite"):
        Tracker().update(found(), float("nan"))


@pytest.mark.parametrize(
    "wrong", [{"lost_s": -1}, {"min_hits": 0}, {"match_iou": 2}, {"track_threshold": 0.05}, {"by_class": 1}]
)
def test_options_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        TrackOptions(**wrong)


def frame(source: str, index: int, timestamp_s: float, path: Optional[str] = None) -> Frame:
    return Frame(np.zeros((480, 640, 3), np.uint8), source, index, timestamp_s, path)


def test_each_source_has_its_own_ids() -> None:
    trackers, seen = SourceTrackers(TrackOptions()), []
    for index, source in itertools.product(range(3), ("a", "b")):
        boxes = found((*AT, 0.9, 0), (200, 200, 240, 240, 0.5, 1)) if source == "a" else found((*AT, 0.9, 1))
        seen.append(trackers.update(boxes, frame(source, index, index / 30), 0)[0].tracker_id.tolist())
    assert seen[-2:] == [[1, 2], [1]]
    assert trackers.summary() == {"a": {"objects": {"cat": 1, "dog": 1}}, "b": {"objects": {"dog": 1}}}


def test_a_source_that_begins_again_has_new_objects() -> None:
    trackers = SourceTrackers(TrackOptions())
    seen = [
        int(trackers.update(found((*AT, 0.9, 0)), frame("a", index, index / 30), restarts)[0].tracker_id[0])
        for index, restarts in enumerate([0, 0, 0, 1, 1, 2, 2])
    ]
    assert seen == [-1, 1, 1, -1, 2, -1, 3]


def test_another_source_under_a_name_has_new_objects_once() -> None:
    """The one that was removed is forgotten when the other one has given frames, or before."""
    for forgotten_at in (3, 5):
        trackers, seen = SourceTrackers(TrackOptions()), []
        for index, number in enumerate([0, 0, 0, 1, 1, 1, 1]):
            if index == forgotten_at:
                trackers.forget("a", 0)
            given = found((*AT, 0.9, 0)), frame("a", index, index / 30), 0, None, None, number
            seen.append(int(trackers.update(*given)[0].tracker_id[0]))
        assert seen == [-1, 1, 1, -1, 2, 2, 2]


def test_a_folder_of_pictures_counts_as_a_video() -> None:
    trackers = SourceTrackers(TrackOptions(lost_s=0.2))
    pictures = [frame("p/", index, float(index), f"p/{index}.jpg") for index in (0, 1, 2, 20)]
    seen = [trackers.update(found((*AT, 0.9, 0)), picture, 0)[0].tracker_id.tolist() for picture in pictures]
    assert seen == [[-1], [1], [1], [-1]]


def test_a_higher_threshold_holds_for_new_objects_at_once() -> None:
    tracker, low = Tracker(TrackOptions(min_hits=1)), (200, 200, 240, 240, 0.5, 1)
    assert tracker.update(found((*AT, 0.9, 0)), 0.0).tracker_id.tolist() == [1]
    tracker.change(TrackOptions(min_hits=1, track_threshold=0.7))
    assert tracker.update(found((*AT, 0.9, 0), low), 0.1).tracker_id.tolist() == [1], "0.5 begins nothing now"
    tracker.change(TrackOptions(min_hits=1))
    assert tracker.update(found((*AT, 0.9, 0), low), 0.2).tracker_id.tolist() == [1, 2]


def test_a_source_that_comes_back_may_be_tracked_otherwise() -> None:
    """Its ids and counts go on."""
    trackers, seen = SourceTrackers(TrackOptions(min_hits=1)), []
    for index in range(4):
        if index == 2:
            trackers.forget("a")
        options = TrackOptions(min_hits=1, lost_s=1 + index // 2)
        tracked, _ = trackers.update(found((*AT, 0.9, 0)), frame("a", index, index / 30), 0, options)
        seen.append(tracked.tracker_id.tolist())
    assert seen == [[1], [1], [2], [2]]
    assert trackers.summary()["a"]["objects"] == {"cat": 2}
