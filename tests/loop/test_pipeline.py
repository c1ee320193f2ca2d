"""The loop: every frame of a file, the newest of a camera, nothing lost from the sinks, clean ends of every kind."""

from __future__ import annotations

import threading
import time
from typing import List, Optional

import numpy as np
import pytest

from edge_runtime.backends import BackendOptions, replay
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import EdgeError, SinkError, SourceError
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.model import onnx_file
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.types import Frame, Result
from tests.tiny import boxes_v8, write_onnx


class Numbers:
    """A source whose images carry their index in the first pixel."""

    fps: Optional[float] = 30.0
    frame_count: Optional[int] = None
    description = "numbers"

    def __init__(self, count: int, live: bool = False, fails_at: Optional[int] = None, period_s: float = 0.0) -> None:
        self.name, self.live, self.count = f"numbers{count}", live, count
        self.fails_at, self.period_s = fails_at, period_s
        self.skipped: List[str] = []
        self.index, self.closed, self.allocated = 0, False, 0

    def read(self, buffer: Optional[np.ndarray] = None) -> Optional[Frame]:
        if self.index == self.fails_at:
            raise SourceError("the cable was pulled", hint="plug it in")
        if self.closed or self.index == self.count:
            return None
        time.sleep(self.period_s)
        if buffer is None:
            buffer = np.zeros((48, 64, 3), np.uint8)
            self.allocated += 1
        buffer[0, 0] = self.index % 256
        self.index += 1
        return Frame(buffer, self.name, self.index - 1, (self.index - 1) / 30)

    def close(self) -> None:
        self.closed = True


class Collector:
    """A sink that remembers, and can be slow, stalled, broken or closed by its user."""

    def __init__(self, delay_s: float = 0.0, fails_at: Optional[int] = None, closes_at: Optional[int] = None) -> None:
        self.target, self.delay_s, self.fails_at, self.closes_at = "collector", delay_s, fails_at, closes_at
        self.seen: List[int] = []
        self.torn = self.finished = 0
        self.closed = False
        self.gate = threading.Event()
        self.gate.set()

    def write(self, result: Result) -> None:
        if len(self.seen) == self.fails_at:
            raise SinkError("the disk is full", hint="make room")
        before = int(result.frame.image[0, 0, 0])
        time.sleep(self.delay_s)
        self.gate.wait(10)
        self.torn += int(result.frame.image[0, 0, 0]) != before or before != result.frame.index % 256
        self.seen.append(result.frame.index)
        self.closed = len(self.seen) == self.closes_at

    def close(self) -> None:
        self.finished += 1


@pytest.fixture(params=[1, 2, 3], ids=lambda n: f"{n} slots")
def detector(request, tmp_path):
    output = boxes_v8((32, 32, 16, 8, 0.9, 1))
    io = onnx_file.read_io(write_onnx(tmp_path / "m.onnx", {"output0": output}))
    path = str(tmp_path / "m.replay.npz")
    replay.record(path, io, [[output]])
    options = BackendOptions(slots=request.param)
    with Detector.open(path, flags=ModelFlags(family="yolo_v8", labels="a,b,c"), options=options) as opened:
        yield opened


def test_a_file_is_processed_frame_by_frame(detector):
    source, sinks = Numbers(300), [Collector(), Collector(delay_s=0.0005)]
    summary = Pipeline(detector, source, sinks).run()
    for sink in sinks:
        assert sink.seen == list(range(300)) and sink.torn == 0 and sink.finished == 1
    assert summary["frames"] == 300 and summary["detections"] == {"b": 300}
    assert summary["dropped"] == {source.name: 0} and source.closed


def test_buffers_are_used_again(detector):
    source = Numbers(300)
    Pipeline(detector, source, [Collector()]).run()
    assert source.allocated < 12


def test_iteration_gives_results_in_order_and_kept_images_stay(detector):
    kept = []
    for result in Pipeline(detector, Numbers(200)):
        kept.append((result.frame.index, result.frame.image))
    assert [index for index, _ in kept] == list(range(200))
    assert all(image[0, 0, 0] == index for index, image in kept), "an image the user kept was overwritten"


def test_leaving_the_loop_ends_everything(detector):
    source = Numbers(100_000)
    before = threading.active_count()
    for result in Pipeline(detector, source):
        if result.frame.index == 5:
            break
    del result
    deadline = time.monotonic() + 5
    while threading.active_count() > before + 1 and time.monotonic() < deadline:  # + 1: the backend's own worker
        time.sleep(0.01)
    assert source.closed and threading.active_count() <= before + 1


def test_a_stalled_sink_does_not_stall_a_live_source(detector):
    source, stalled, healthy = Numbers(150, live=True, period_s=0.002), Collector(), Collector()
    stalled.gate.clear()
    stalled.target = "stalled"
    pipeline = Pipeline(detector, source, [stalled, healthy])
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    deadline = time.monotonic() + 20
    while source.index < 150 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert source.index == 150, "the camera was stopped by a sink"
    stalled.gate.set()
    thread.join(10)
    summary = pipeline.summary()
    assert len(healthy.seen) > len(stalled.seen) and stalled.torn == healthy.torn == 0
    dropped = sum(box["dropped"] for box in summary["sinks"].values())
    assert dropped == 2 * summary["frames"] - len(stalled.seen) - len(healthy.seen)
    assert summary["frames"] + sum(pipeline.dropped) == 150


def test_a_broken_source_loses_nothing_before_it(detector):
    sink = Collector()
    with pytest.raises(SourceError, match="cable") as caught:
        Pipeline(detector, Numbers(100, fails_at=60), [sink]).run()
    assert caught.value.hint and sink.seen == list(range(60)) and sink.finished == 1


def test_one_broken_source_leaves_the_others_running(detector):
    sink = Collector()
    with pytest.raises(SourceError):
        Pipeline(detector, [Numbers(100, fails_at=3), Numbers(90)], [sink]).run()
    assert len(sink.seen) == 93


def test_a_broken_sink_costs_the_others_nothing(detector, caplog):
    broken, healthy = Collector(fails_at=10), Collector()
    broken.target = "broken"
    pipeline = Pipeline(detector, Numbers(300), [broken, healthy])
    with pytest.raises(SinkError, match="disk is full"):
        pipeline.run()
    assert broken.seen == list(range(10)) and broken.finished == healthy.finished == 1
    assert healthy.seen == list(range(300))
    assert pipeline.summary()["failed"] == [{"sink": "broken", "error": "the disk is full"}]
    assert caplog.messages == ["output broken failed, the others go on: the disk is full"]


def test_the_last_broken_sink_ends_the_run(detector):
    first, last = Collector(fails_at=10), Collector(fails_at=40)
    source = Numbers(100_000)
    with pytest.raises(SinkError, match="disk is full"):
        Pipeline(detector, source, [first, last]).run()
    assert first.seen == list(range(10)) and last.seen == list(range(40))
    assert first.finished == last.finished == 1 and source.index < 1000


def test_a_caller_who_iterates_goes_on_without_a_broken_sink(detector):
    broken, seen = Collector(fails_at=10), []
    with pytest.raises(SinkError, match="disk is full"):
        for result in Pipeline(detector, Numbers(100), [broken]):
            seen.append(result.frame.index)
    assert seen == list(range(100))


def test_a_tick_that_fails_ends_the_run_with_its_sinks_finished(detector):
    def tick() -> None:
        raise RuntimeError("a live line")

    sink = Collector(delay_s=0.01)
    with pytest.raises(RuntimeError, match="a live line"):
        Pipeline(detector, Numbers(100_000, live=True, period_s=0.001), [sink]).run(tick)
    assert sink.seen and sink.finished == 1


def test_a_broken_model_stops_the_run(detector):
    def broken() -> None:
        raise EdgeError("the network failed", hint="export it again")

    sink = Collector()
    pipeline = Pipeline(detector, Numbers(1000), [sink])
    for slot in detector.backend._slots:
        slot.run = broken
    with pytest.raises(EdgeError, match="the network failed"):
        pipeline.run()
    assert sink.finished == 1


def test_a_closed_window_ends_the_run(detector):
    sink = Collector(closes_at=20)
    Pipeline(detector, Numbers(100_000), [sink]).run()
    assert sink.seen[:20] == list(range(20)) and len(sink.seen) < 1000


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_max_frames_is_exact(detector, limit):
    sink = Collector()
    summary = Pipeline(detector, Numbers(1000), [sink], max_frames=limit).run()
    assert summary["frames"] == limit and sink.seen == list(range(limit))
    assert summary["left_behind"] == [], "the source was told, and did not have to be waited for"


def test_duration_ends_an_endless_source(detector):
    summary = Pipeline(detector, Numbers(10**9, live=True, period_s=0.005), duration_s=0.3).run()
    assert 1 <= summary["frames"] <= 100


def test_several_sources_share_the_detector(detector):
    first, second, sink = Numbers(50), Numbers(40), Collector()
    names: List[str] = []
    for result in Pipeline(detector, [first, second], [sink]):
        names.append(result.frame.source)
    assert names.count("numbers50") == 50 and names.count("numbers40") == 40
    assert len(sink.seen) == 90


def test_an_empty_source_is_no_error(detector):
    summary = Pipeline(detector, Numbers(0), [Collector()]).run()
    assert summary["frames"] == 0 and summary["fps"] == 0.0 and summary["latency_ms"] == {}


def test_a_detector_can_be_used_again_after_a_pipeline(detector):
    Pipeline(detector, Numbers(10)).run()
    Pipeline(detector, Numbers(10)).run()
    assert len(detector(np.zeros((48, 64, 3), np.uint8))) == 1
