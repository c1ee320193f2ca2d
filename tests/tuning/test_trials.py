"""The two measurements, with a clock that the test moves: what is counted, and that a source can be read for ever."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.backends import BackendOptions
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import SourceError
from edge_runtime.sources import SourceOptions
from edge_runtime.tuning import trials
from edge_runtime.tuning.trials import Repeated, Stopwatch
from tests.models import MODELS
from tests.sources.clips import number, write_clip


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def detector_of(slots: int, streams: int, batch: int = 1) -> Any:
    return SimpleNamespace(backend=SimpleNamespace(slots=slots, batch=batch), options=BackendOptions(streams=streams))


def rate(times_s: List[float], **shape: int) -> List[float]:
    """The rates after each result, until the stopwatch has one."""
    clock, found = Clock(), []
    watch = Stopwatch(detector_of(**shape), clock)
    for time_s in times_s:
        clock.now_s = time_s
        found.append(watch.rate())
        if found[-1]:
            break
    return found


def test_counting_begins_when_all_slots_are_in_work() -> None:
    late = [5.0, 6.0] + [6.0 + 0.1 * n for n in range(1, 10)]  # the first two were slow
    assert rate(late, slots=2, streams=0) == [0, 0, 0, pytest.approx(10)]


def test_images_that_come_in_pairs_are_counted_in_pairs() -> None:
    pairs = [0.1 * (n // 2) for n in range(40)]  # two streams: 20 images per second
    for slots in (2, 3):
        assert rate(pairs, slots=slots, streams=2)[-1] == pytest.approx(20)


def test_batches_are_counted_whole() -> None:
    assert rate([0.1 * (n // 4) for n in range(40)], slots=2, streams=0, batch=4)[-1] == pytest.approx(40)


def test_a_slow_model_is_counted_for_two_turns_only() -> None:
    assert len(rate([1.0 * n for n in range(40)], slots=3, streams=2)) == 3 + 4
    assert len(rate([1.0 * n for n in range(40)], slots=2, streams=1)) == 2 + 2


def test_a_source_is_read_again_from_its_beginning(tmp_path: Path) -> None:
    reader = Repeated(str(write_clip(tmp_path / "a.mp4", 3)), SourceOptions())
    frames = [reader.read() for _ in range(7)]
    assert [number(frame.image) for frame in frames if frame] == [0, 1, 2, 0, 1, 2, 0]
    assert reader.frame_count == 3 and not reader.live
    reader.close()
    assert reader.read() is not None, "the end of a pipeline is not that of the trial"
    reader.end()


def test_a_source_that_breaks_is_read_again_and_one_without_frames_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "photos"
    path.mkdir()
    (path / "a.jpg").write_bytes(b"")
    with pytest.raises(SourceError):
        Repeated(str(path), SourceOptions()).read()
    assert Repeated("synthetic://8x8", SourceOptions(loop=True)).frame_count is None


def test_throughput_is_that_of_a_real_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "WINDOW_S", 0.0)
    reader = Repeated("synthetic://64x48?frames=3", SourceOptions())
    with Detector.open(str(MODELS / "yolo_v8.onnx"), threads=1, streams=2) as detector:
        assert trials.throughput(detector, [reader]) > 0
        assert trials.throughput(detector, [reader]) > 0, "the detector and the source serve another window"
        assert detector(np.zeros((8, 8, 3), np.uint8)) is not None, "and then anybody"
        with pytest.raises(SourceError):
            trials.throughput(detector, [sources.open("synthetic://64x48?frames=3")])


def test_ctrl_c_ends_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(watch: Stopwatch) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(Stopwatch, "rate", pressed)
    reader = Repeated("synthetic://64x48", SourceOptions())
    with Detector.open(str(MODELS / "yolo_v8.onnx"), threads=1) as detector:
        with pytest.raises(KeyboardInterrupt):
            trials.throughput(detector, [reader])
        assert detector(np.zeros((8, 8, 3), np.uint8)) is not None, "the detector was given back"


def test_latency_is_the_median_of_single_images(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slept, sizes, takes = Clock(), [], [], iter([0.5, 0.01, 0.01, 0.01, 0.05, 0.01, 0.01])

    def enqueue(slot: int, images: List[np.ndarray]) -> None:
        sizes.append(images[0].shape)

    def wait(slot: int) -> None:
        clock.now_s += next(takes)

    monkeypatch.setattr(trials, "sleep", slept.append)
    detector: Any = SimpleNamespace(backend=SimpleNamespace(enqueue=enqueue, wait=wait))
    assert trials.latency(detector, (64, 48), 25.0, clock) == pytest.approx(100)
    assert sizes == [(48, 64, 3)] * trials.IMAGES
    assert slept == pytest.approx([0.0, 0.03, 0.03, 0.03, 0.0]), "the next image comes at the source's rate"
