"""The maker of events: every object begins once and ends once, in time, and is counted as by the tracker."""

from __future__ import annotations

from collections import Counter
from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.events import maker
from edge_runtime.events.objects import MOST_POINTS, Path
from edge_runtime.events.options import EventOptions
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.places import Line, Zone
from tests.events.scenes import Row, Scene, check_stories, walk

BOX: Row = (100, 100, 160, 220, 0.9, 0)

boxes = st.lists(
    st.tuples(st.integers(0, 500), st.integers(0, 400), st.integers(5, 140), st.integers(5, 80),
              st.floats(0.05, 1), st.integers(0, 1)).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3], b[4], b[5])),
    max_size=6,
)  # fmt: skip
steps = st.tuples(boxes, st.sampled_from([0.04, 0.1, 0.5, 1.0, 1.1, -0.3]), st.sampled_from([0, 0, 0, 0, 1]))


@given(st.lists(steps, max_size=25), st.booleans())
def test_each_object_has_one_beginning_and_one_end(frames: List[tuple], by_class: bool) -> None:
    line, zone = Line("gate", ((320, 0), (320, 480))), Zone("yard", ((0, 0), (320, 0), (320, 480), (0, 480)))
    scene = Scene(TrackOptions(min_hits=1, by_class=by_class, lines=(line,), zones=(zone,)))
    time_s, restarts = 10.0, 0
    for rows, step_s, restart in frames:
        time_s, restarts = time_s + step_s, restarts + restart
        scene.frame(sorted(rows, key=lambda row: -row[4]), time_s, restarts)
    scene.end()
    keys = list(check_stories(scene.drafts))
    began = Counter(draft.data["label"] for draft in scene.of("new"))
    assert began == scene.summary["objects"] and len(keys) == sum(began.values())
    assert not frames or scene.of("counts")[-1].data["objects"] == began
    crossed = Counter((draft.data["direction"]) for draft in scene.of("crossing"))
    counted = scene.summary.get("lines", {}).get("gate", {"in": {}, "out": {}})
    assert crossed == {way: sum(counts.values()) for way, counts in counted.items() if counts}
    assert sum(len(draft.data["crossed"]) for draft in scene.of("end")) == sum(crossed.values())
    visits = [draft.data["stays"].get("yard", {"visits": 0})["visits"] for draft in scene.of("end")]
    assert sum(visits) == sum(scene.summary.get("zones", {}).get("yard", {"objects": {}})["objects"].values())


def test_an_object_is_lost_when_the_tracker_forgets_it() -> None:
    scene = Scene()
    for time_s in (0.0, 0.1, 0.2):
        scene.frame([BOX], time_s)
    scene.frame([], 1.2)
    assert not scene.of("end"), "for 1 s it may come back"
    (end,) = [draft for draft in scene.frame([], 1.25) if draft.kind == "end"]
    assert end.data["why"] == "lost" and end.data["frames"] == 2
    assert (end.data["first_s"], end.data["last_s"], end.data["duration_s"]) == (0.1, 0.2, 0.1)
    new = scene.frame([BOX], 1.3) + scene.frame([BOX], 1.4)
    assert [draft.key for draft in new if draft.kind == "new"] == ["run-cam-2"]


@pytest.mark.parametrize("change", ["restarts", "time", "size"])
def test_what_ends_the_tracks_ends_the_objects(change: str) -> None:
    scene = Scene(TrackOptions(min_hits=1))
    scene.frame([BOX], 5.0)
    made = scene.frame(
        [BOX], 4.0 if change == "time" else 5.1, restarts=change == "restarts",
        wh=(320, 240) if change == "size" else (640, 480),
    )  # fmt: skip
    assert [draft.kind for draft in made if draft.key] == ["end", "new"] and made[0].data["why"] == "restart"
    assert [draft.key for draft in made if draft.key] == ["run-cam-1", "run-cam-2"]


def test_updates_come_once_a_second() -> None:
    scene = Scene(TrackOptions(min_hits=1))
    for frame in range(41):
        scene.frame([BOX], frame / 10)
    assert [draft.data["timestamp_s"] for draft in scene.of("update")] == [1.0, 2.0, 3.0, 4.0]
    assert {draft.data["why"] for draft in scene.of("update")} == {"time"}


def test_a_change_of_zone_is_said_at_once_and_not_in_each_frame() -> None:
    zone = Zone("left", ((0, 0), (320, 0), (320, 480), (0, 480)))
    scene = Scene(TrackOptions(min_hits=1, zones=(zone,)), EventOptions(update_s=100, change_s=0.25))
    walk(scene, [275, 305] * 20, step_s=0.05)  # in and out in each frame
    updates = scene.of("update")
    times = [draft.data["timestamp_s"] for draft in updates]
    assert 4 < len(times) <= 8 and all(later - time >= 0.25 - 1e-9 for time, later in zip(times, times[1:]))
    assert {draft.data["why"] for draft in updates} == {"zone"}


def test_a_better_picture_is_an_update() -> None:
    scene = Scene(TrackOptions(min_hits=1), EventOptions(update_s=100))
    for number in range(30):
        scene.frame([(200 - 3 * number, 150, 260 + 3 * number, 270, 0.9, 0)], number / 10)
    said = [draft for draft in scene.drafts if draft.picture is not None]
    assert 3 <= len(said) <= 8 and said[0].kind == "new"
    sizes = [draft.picture.shape[0] * draft.picture.shape[1] for draft in said]
    assert sizes == sorted(sizes)
    assert {draft.data["why"] for draft in scene.of("update")} == {"picture"}


def test_without_room_there_is_no_picture_now_and_one_later() -> None:
    scene, room = Scene(TrackOptions(min_hits=1)), [False]
    scene.maker._has_room = lambda size: room[0]
    assert scene.frame([BOX], 0.0)[0].picture is None
    room[0] = True
    assert [draft.picture is None for draft in scene.frame([BOX], 0.1)] == [False]


def test_the_end_says_it_all() -> None:
    line, zone = Line("gate", ((320, 480), (320, 0))), Zone("left", ((0, 0), (320, 0), (320, 480), (0, 480)))
    scene = Scene(TrackOptions(min_hits=1, lines=(line,), zones=(zone,)))
    walk(scene, range(200, 400, 10))
    (end,) = [draft for draft in scene.end() if draft.kind == "end"]
    (crossing,) = scene.of("crossing")
    assert crossing.key == end.key and crossing.data["line"] == "gate" and crossing.data["direction"] == "out"
    assert end.data["crossed"] == [{"line": "gate", "direction": "out", "at_s": crossing.data["timestamp_s"]}]
    stay = scene.summary["zones"]["left"]["dwell_s"]
    assert end.data["stays"] == {"left": {"visits": 1, "dwell_s": stay["longest"]}}
    assert end.data["path"][0] == (0.0, 230.0, 320.0) and end.data["path"][-1] == (1.9, 420.0, 320.0)
    assert end.data["classes"] == {"person": 20} and end.data["why"] == "end of run"


def test_the_class_is_that_of_most_frames() -> None:
    scene = Scene(TrackOptions(min_hits=1))
    for number, class_id in enumerate((1, 0, 0, 1, 0)):
        scene.frame([(*BOX[:5], class_id)], number / 10)
    end = scene.end()[0]
    assert end.data["label"] == "person" and end.data["classes"] == {"person": 3, "car": 2}
    assert scene.of("new")[0].data["label"] == "car"


def test_counts_come_once_a_second_and_at_the_end() -> None:
    scene = Scene(TrackOptions(min_hits=1))
    for frame in range(25):
        scene.frame([BOX] if frame < 15 else [], frame / 10)
    scene.end()
    counts = [(draft.data["timestamp_s"], draft.data["in_view"]) for draft in scene.of("counts")]
    assert counts == [(0.0, {"person": 1}), (1.0, {"person": 1}), (2.0, {}), (2.4, {})]
    assert not scene.end(), "they are said already"


def test_times_of_a_file_and_of_a_live_source_are_unix_times() -> None:
    file, live = Scene(TrackOptions(min_hits=1)), Scene(TrackOptions(min_hits=1))
    file.frame([BOX], 3.0)
    live.frame([BOX], 999_999.5, live=True)
    assert {draft.time_s for draft in file.drafts} == {1_000_000.0} and file.drafts[0].data["timestamp_s"] == 3.0
    assert {draft.time_s for draft in live.drafts} == {999_999.5}


def test_a_live_source_that_gives_no_frames_ends_its_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """By this machine's clock: that of a camera may be wrong."""
    now = [50.0]
    monkeypatch.setattr(maker, "monotonic", lambda: now[0])
    scene = Scene(TrackOptions(min_hits=1))
    scene.frame([BOX], 5.0, live=True)
    now[0] = 54.0
    assert not list(scene.maker.check(2e9)), "a frame may be late"
    now[0] = 57.0
    made = list(scene.maker.check(2e9))
    assert [draft.kind for draft in made] == ["end", "counts"] and made[0].data["why"] == "no frames"
    assert not [draft for draft in scene.frame([BOX], 5.9, live=True) if draft.key], "its id, should it come, is over"


def test_without_a_tracker_boxes_are_counted() -> None:
    scene = Scene()
    scene.trackers.update = lambda found, frame, restarts: (found, None)
    made = scene.frame([BOX, BOX], 0.0)
    assert [draft.kind for draft in made] == ["counts"] and made[0].data["in_view"] == {"person": 2}


@given(st.integers(0, 3000))
def test_a_path_is_bounded_and_has_its_ends(count: int) -> None:
    path = Path()
    for number in range(count):
        path.add(float(number), (number, 0, number, 0))
    points = path.summary()
    assert len(points) <= MOST_POINTS + 1 and points == sorted(set(points))
    assert count == 0 or (points[0][0], points[-1][0]) == (0, count - 1)
