"""Who owns what: a pipeline runs once and closes what it opened, and a detector in it is nobody else's."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Callable, Iterator, List

import cv2
import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import SinkError, SourceError, UsageError
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.sources import synthetic
from tests.loop.parts import Numbers, Sink, descriptors, open_detector, threads, within
from tests.sources.clips import write_clip

IMAGE = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture
def detector(tmp_path: Path) -> Iterator[Detector]:
    with open_detector(tmp_path) as opened:
        yield opened


def test_sources_of_one_name_are_told_apart(detector: Detector) -> None:
    pipeline = Pipeline(detector, [Numbers(2, name="a"), Numbers(3, name="a (2)"), Numbers(4, name="a")])
    found = [result.frame.source for result in pipeline]
    assert {name: found.count(name) for name in found} == {"a": 2, "a (2)": 3, "a (3)": 4}
    assert list(pipeline.summary()["dropped"]) == ["a", "a (2)", "a (3)"]


def test_one_open_source_cannot_be_two(detector: Detector) -> None:
    source = Numbers(2)
    with pytest.raises(UsageError, match="numbers2 is given twice"):
        Pipeline(detector, [source, source])


def test_a_pipeline_runs_once(detector: Detector) -> None:
    ran, iterated, closed = (Pipeline(detector, Numbers(3)) for _ in range(3))
    ran.run()
    assert len(list(iterated)) == 3
    closed.close()
    closed.close()
    for pipeline in (ran, iterated, closed):
        with pytest.raises(UsageError, match="ran already, or is closed") as caught:
            pipeline.run()
        assert "a Pipeline for each run" in str(caught.value.hint)
        with pytest.raises(UsageError, match="ran already, or is closed"):
            iter(pipeline)


def test_with_closes_what_was_opened(detector: Detector, tmp_path: Path) -> None:
    clip, before = str(write_clip(tmp_path / "clip.mp4", 12)), (descriptors(), threads())
    with Pipeline(detector, clip, str(tmp_path / "out.jsonl")):
        assert descriptors() != before[0]
    with Pipeline(detector, clip, str(tmp_path / "out.jsonl")) as pipeline:
        assert [result.frame.index for result in pipeline] == list(range(12))
    with Pipeline(detector, clip, str(tmp_path / "out.jsonl")) as pipeline:
        for result in pipeline:
            if result.frame.index == 3:
                break
        del result
    Pipeline(detector, clip, str(tmp_path / "out.jsonl"), duration_s=1e6).run()
    assert (descriptors(), threads()) == before


def test_what_is_given_open_stays_open_without_a_run(detector: Detector) -> None:
    source, sink = Numbers(3), Sink()
    with Pipeline(detector, source, sink):
        pass
    assert not source.closed and not sink.finished
    Pipeline(detector, source, sink).run()
    assert source.closed and sink.finished == 1


def test_leaving_with_an_iterator_in_hand_ends_the_run(detector: Detector) -> None:
    source, sink, before = Numbers(10**6), Sink(), threads()
    with Pipeline(detector, source, sink) as pipeline:
        results = iter(pipeline)
        next(results)
    assert source.closed and sink.finished == 1 and threads() == before
    assert list(results) == [] and len(detector(IMAGE)) == 1


def test_an_iterator_that_never_began_holds_nothing(detector: Detector) -> None:
    with Pipeline(detector, Numbers(3)) as pipeline:
        iter(pipeline)
        assert len(detector(IMAGE)) == 1


@pytest.mark.parametrize("broken", ["missing.mp4", "nothing://here", "bad.mp4"])
def test_a_constructor_that_fails_leaves_nothing_open(detector: Detector, tmp_path: Path, broken: str) -> None:
    clip = str(write_clip(tmp_path / "clip.mp4", 12))
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    target = broken if "://" in broken else str(tmp_path / broken)
    before, kept = (descriptors(), threads()), []
    for _ in range(5):
        with pytest.raises((SourceError, UsageError)) as caught:
            Pipeline(detector, [clip, target], [str(tmp_path / "o.jsonl"), str(tmp_path / "o.mp4")], fail_fast=True)
        kept.append(caught)  # and with it the frames of the constructor
    assert (descriptors(), threads()) == before


def test_an_output_that_cannot_be_written_starts_no_camera(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: List[str] = []
    monkeypatch.setattr(sources, "open", lambda target, options: asked.append(target))
    with pytest.raises((SinkError, UsageError)):
        Pipeline(detector, 0, [str(tmp_path / "good.jsonl"), str(tmp_path / "none" / "out.jsonl")])
    assert asked == []


@pytest.fixture
def seventh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of synthetic://...@7 are a seventh of a second apart by their own times, however busy the machine is."""
    read = itertools.count()
    clock = SimpleNamespace(monotonic=time.monotonic, time=lambda: 1000 + next(read) / 7)
    monkeypatch.setattr(synthetic, "time", clock)


def has_the_rate(path: Path) -> bool:
    """Whether frames of a video are a seventh of a second apart, or more where the pipeline dropped some."""
    video = sources.open(str(path))
    times = [frame.timestamp_s for frame in iter(video.read, None)]
    video.close()
    apart = 7 * np.diff(times)
    return len(times) > 1 and apart.min() > 0.99 and bool(np.abs(apart - np.round(apart)).max() < 0.01)


def test_a_video_has_the_rate_of_its_source_all_the_same(detector: Detector, tmp_path: Path, seventh: None) -> None:
    Pipeline(detector, "synthetic://64x48@7", str(tmp_path / "out.mp4"), max_frames=3).run()
    assert has_the_rate(tmp_path / "out.mp4")


def test_a_picture_beside_a_video_does_not_make_it_faster(detector: Detector, tmp_path: Path, seventh: None) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), IMAGE)
    both = [str(tmp_path / "a.png"), "synthetic://64x48@7"]
    Pipeline(detector, both, str(tmp_path / "out.mp4"), max_frames=4).run()
    assert has_the_rate(tmp_path / "out.mp4")


def test_a_detector_in_a_pipeline_refuses_everybody_else(detector: Detector, tmp_path: Path) -> None:
    with open_detector(tmp_path, "second") as second:
        with Pipeline(detector, Numbers(10**6)) as pipeline:
            results = iter(pipeline)
            next(results)
            pipeline.swap(second)
            for call in [*_uses(detector), *_uses(second)]:
                with pytest.raises(UsageError, match="a Pipeline runs over this detector") as caught:
                    call()
                assert "Pipeline" in str(caught.value.hint) or "second Detector" in str(caught.value.hint)
            pipeline.swap(detector)  # its own it may take back
            next(results)
        assert len(detector(IMAGE)) == len(second(IMAGE)) == 1
        assert Pipeline(second, Numbers(3)).run()["frames"] == 3


def test_engines_that_take_turns_are_not_warmed_up_while_they_run(detector: Detector, tmp_path: Path) -> None:
    """Back and forth without a pause, as a restless governor would: the box is the box, and nobody is refused."""
    with open_detector(tmp_path, "second") as second, Pipeline(detector, Numbers(2000)) as pipeline:
        for number, result in enumerate(pipeline):
            assert result.detections.class_id.tolist() == [1]
            pipeline.swap((detector, second)[number % 2])
        assert pipeline.summary()["frames"] == 2000


def test_the_first_engine_may_come_back_after_a_smaller_one(detector: Detector, tmp_path: Path) -> None:
    with ExitStack() as stack:
        small, big = (stack.enter_context(open_detector(tmp_path, f"slots{slots}", slots)) for slots in (1, 3))
        pipeline = stack.enter_context(Pipeline(detector, Numbers(10**6)))
        results = iter(pipeline)
        for turn in (small, detector, small):
            pipeline.swap(turn)
            for _ in range(20):
                next(results)
            assert pipeline._run.detecting.turns.backend is turn.backend
        with pytest.raises(UsageError, match="bigger batch"):
            pipeline.swap(big)


@pytest.mark.parametrize("refused", ["detect", "sink a", "sink b"])
def test_a_system_without_threads_is_an_error_and_leaves_nothing_open(
    detector: Detector, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    begin = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name == refused:
            raise RuntimeError("can't start new thread")
        begin(thread)

    sinks, before = [Sink("a"), Sink("b")], threads()
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="new thread"), Pipeline(detector, Numbers(10**6), sinks) as pipeline:
        pipeline.run()
    assert [sink.finished for sink in sinks] == ([0, 0] if refused == "detect" else [1, 1])
    assert threads() == before and len(detector(IMAGE)) == 1


@pytest.mark.parametrize("given", ["m.onnx", None, 3])
def test_what_is_no_detector(given: object) -> None:
    with pytest.raises(UsageError, match="detector is of type") as caught:
        Pipeline(given, "demo")  # type: ignore[arg-type]
    assert "Detector.open" in str(caught.value.hint)


def _uses(detector: Detector) -> List[Callable[[], object]]:
    return [
        lambda: detector(IMAGE),
        lambda: detector([IMAGE]),
        lambda: detector.warm_up(1),
        detector.close,
        Pipeline(detector, Numbers(3)).run,
        lambda: next(iter(Pipeline(detector, Numbers(3)))),
    ]


def test_a_detector_that_runs_elsewhere_cannot_take_over(detector: Detector, tmp_path: Path) -> None:
    with open_detector(tmp_path, "second") as second, Pipeline(second, Numbers(10**6)) as elsewhere:
        busy = iter(elsewhere)
        next(busy)
        with Pipeline(detector, Numbers(10**6)) as pipeline:
            results = iter(pipeline)
            next(results)
            with pytest.raises(UsageError, match="a Pipeline runs over this detector"):
                pipeline.swap(second)
            next(results)


def test_a_second_pipeline_that_is_refused_leaves_nothing_open(detector: Detector, tmp_path: Path) -> None:
    clip = str(write_clip(tmp_path / "clip.mp4", 12))
    thread = threading.Thread(target=(first := Pipeline(detector, Numbers(10**6))).run)
    thread.start()
    assert within(10, lambda: first.monitor.frames > 0)
    before = descriptors()
    with pytest.raises(UsageError, match="runs over this detector"):
        Pipeline(detector, clip, str(tmp_path / "o.jsonl")).run()
    assert descriptors() == before
    first.close()
    thread.join(10)
    assert not thread.is_alive() and len(detector(IMAGE)) == 1


def test_an_error_on_its_way_is_not_hidden_by_the_detector(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_detector(tmp_path) as detector:
        pipeline = Pipeline(detector, Numbers(10**6))
        results = iter(pipeline)
        next(results)
        raise ZeroDivisionError
    pipeline.close()
    detector.close()


def test_a_detector_is_at_rest_after_a_run_that_broke(detector: Detector) -> None:
    with pytest.raises(SourceError):
        Pipeline(detector, Numbers(100, fails_at=5)).run()
    assert len(detector(IMAGE)) == 1


def test_after_an_error_no_slot_is_left_at_work(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever uses the detector next would find the result of another's frame in it."""
    enqueue, wait = detector.backend.enqueue, detector.backend.wait
    at_work: List[int] = []

    def begun(slot: int, images: List[np.ndarray]) -> None:
        at_work.append(slot)
        enqueue(slot, images)

    def failing(slot: int) -> object:
        at_work.remove(slot)
        wait(slot)
        if images_seen.index > 4:
            raise UsageError("the backend broke", hint="")
        return wait(slot)

    images_seen = Numbers(100)
    pipeline = Pipeline(detector, images_seen, warmup=0)
    monkeypatch.setattr(detector.backend, "enqueue", begun)
    monkeypatch.setattr(detector.backend, "wait", failing)
    with pytest.raises(UsageError, match="the backend broke"):
        pipeline.run()
    assert at_work == []
