"""The motion gate in a pipeline: what is inferred, what the results say, and ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, List, Optional, Sequence

import numpy as np
import pytest

from edge_runtime.detect.detector import Detector
from edge_runtime.errors import UsageError
from edge_runtime.loop.gate import GateOptions, Gates
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.loop.ring import Lease, Ring
from edge_runtime.track.options import TrackOptions
from edge_runtime.types import Detections, Frame, Result
from tests.loop.parts import Numbers, open_detector
from tests.sources.clips import write_clip

FPS = 10


class Scene(Numbers):
    """A still scene in which a square moves in some frames. Ten frames a second, by their times."""

    def __init__(self, count: int, moving: Sequence[int] = (), name: str = "scene", **more: Any) -> None:
        super().__init__(count, name=name, **more)
        self.moving, self.x = set(moving), 0

    def read(self, buffer: Optional[np.ndarray] = None) -> Optional[Frame]:
        frame = super().read()
        if frame is None:
            return None
        self.x = (self.x + 4 * (frame.index in self.moving)) % 50
        frame.image[20:30, self.x : self.x + 10] = 200
        return Frame(frame.image, self.name, frame.index, frame.index / FPS)


def ran(detector: Detector, source: Any, options: Optional[GateOptions] = None, **more: Any) -> List[Result]:
    return list(Pipeline(detector, source, gate=options or GateOptions(), **more))


def test_only_frames_with_motion_and_some_others_are_inferred(tmp_path: Path) -> None:
    results = ran(open_detector(tmp_path), Scene(100, range(40, 45)))
    assert [result.frame.index for result in results] == list(range(100))
    inferred = [result.frame.index for result in results if not result.gated]
    tail = range(10)  # the first frame opens the gate
    assert set(tail) | set(range(40, 54)) <= set(inferred)
    assert len(inferred) < 55 and max(np.diff(inferred)) <= 20


def test_a_still_object_is_reported_in_every_frame(tmp_path: Path) -> None:
    results = ran(open_detector(tmp_path), Scene(60))
    assert sum(result.gated for result in results) > 30
    for result in results:
        assert [box.label for box in result.detections] == ["b"] and result.detections.image_wh == (64, 48)
        assert ("inference" in result.stage_ms) != result.gated
    assert len({result.detections.xyxy.ctypes.data for result in results}) == 60, "boxes belong to their result"


def test_without_a_gate_all_frames_are_inferred(tmp_path: Path) -> None:
    pipeline = Pipeline(open_detector(tmp_path), Scene(30))
    assert not any(result.gated for result in pipeline) and "motion_gate" not in pipeline.summary()


def test_pictures_are_always_inferred(tmp_path: Path) -> None:
    import cv2

    for i in range(30):
        cv2.imwrite(str(tmp_path / f"{i:02}.png"), np.zeros((48, 64, 3), np.uint8))
    assert not any(result.gated for result in ran(open_detector(tmp_path), f"{tmp_path}/*.png"))


def test_the_summary_counts_and_times_are_of_inferred_frames(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    pipeline = Pipeline(open_detector(tmp_path), [Scene(60), Scene(60, range(60), "busy")], out, gate=GateOptions())
    summary = pipeline.run()
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    gated = sum(row.get("gated", False) for row in rows)
    assert summary["motion_gate"] == {"gated": gated, "inferred": 120 - gated} and gated > 30
    assert summary["streams"]["busy"]["gated"] == 0 and summary["streams"]["scene"]["gated"] == gated
    assert summary["frames"] == 120 and summary["detections"] == {"b": 120}
    assert pipeline.monitor.latency.count == pipeline.monitor.stages["inference"].count == 120 - gated


def test_ids_and_times_in_zones_go_on(tmp_path: Path) -> None:
    """Inferred frames are 2 s apart, and an object is lost after 1 s."""
    results = ran(open_detector(tmp_path), Scene(100), track=TrackOptions())
    assert {tuple(result.detections.tracker_id.tolist()) for result in results[1:]} == {(1,)}


@pytest.mark.parametrize("slots, sources", [(1, 1), (1, 3), (2, 3), (4, 2)])
def test_order_is_kept_and_nothing_is_lost(tmp_path: Path, slots: int, sources: int) -> None:
    scenes = [Scene(80, range(3 * n, 80, 25), f"s{n}") for n in range(sources)]
    results = ran(open_detector(tmp_path, slots=slots), scenes, GateOptions(every_s=0.4, tail_s=0.1))
    for scene in scenes:
        assert [r.frame.index for r in results if r.frame.source == scene.name] == list(range(80))
    assert 0.05 < np.mean([result.gated for result in results]) < 0.9


def test_a_real_clip(tmp_path: Path) -> None:
    """Each frame of the clip has another grey: that is light, not motion."""
    results = ran(open_detector(tmp_path), str(write_clip(tmp_path / "clip.mp4", 30)))
    assert [result.gated for result in results].count(True) == 30 - 26, "the first second of 25 fps is inferred"


def lease(time_s: float, moved: bool = False) -> Lease:
    found = Ring(1).take()
    assert found is not None
    found.fill(Frame(np.zeros((2, 2, 3), np.uint8), "a", 0, time_s))
    found.moved = moved
    return found


def boxes(*class_ids: int) -> Detections:
    return Detections.from_rows(np.array([[0, 0, 1, 1, 0.9, n] for n in class_ids], np.float32).reshape(-1, 6))


def test_what_is_found_without_motion_opens_the_gate() -> None:
    gates = Gates(GateOptions(every_s=2, tail_s=1))
    first, check = lease(0.0), lease(2.0)
    assert gates.admits(first)
    gates.keep(first, boxes(1))
    assert not gates.admits(lease(1.5)) and gates.admits(check)
    gates.keep(check, boxes(1, 1))
    after = [lease(2.0 + t) for t in (0.5, 1.0, 1.5)]
    for each, opened in zip(after, (True, True, False)):
        assert gates.admits(each) == opened
        gates.keep(each, boxes(1, 1))
    assert len(gates.repeat(after[2])) == 2


def test_the_gate_closes_on_what_two_frames_have_shown() -> None:
    """A box of one moment, or one that is missing in one, is not repeated for seconds."""
    for second, closes_at in ((boxes(1), 1.5), (boxes(1, 1), 2.5)):
        gates = Gates(GateOptions(every_s=10, tail_s=1))
        for at, found in ((0.0, boxes(1)), (0.5, second)):
            assert gates.admits(lease(at, moved=at == 0.0))
            gates.keep(lease(at), found)
        opened = [gates.admits(lease(at)) for at in (1.0, 1.5, 2.0, 2.5)]
        assert opened == [at < closes_at for at in (1.0, 1.5, 2.0, 2.5)], "a detector that flickers keeps it no longer"


def test_a_check_that_finds_the_same_does_not() -> None:
    gates = Gates(GateOptions(every_s=2, tail_s=1))
    for time_s in (0.0, 2.0):
        at = lease(time_s)
        assert gates.admits(at)
        gates.keep(at, boxes(1))
    assert not gates.admits(lease(2.5))


def test_times_that_go_back_are_inferred() -> None:
    gates = Gates(GateOptions())
    assert gates.admits(lease(100.0, moved=True)) and gates.admits(lease(3.0)) and not gates.admits(lease(3.1))


@pytest.mark.parametrize("wrong", [{"every_s": -1}, {"tail_s": "x"}, {"every_s": float("nan")}])
def test_times_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError):
        GateOptions(**wrong)
