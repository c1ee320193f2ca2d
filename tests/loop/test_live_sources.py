"""Cameras that are away, in a pipeline: the others go on, the states are known, the run ends at once when asked."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from edge_runtime.detect.detector import Detector
from edge_runtime.errors import SourceError
from edge_runtime.loop import ends
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.sources import SourceOptions
from edge_runtime.types import Result
from tests.loop.parts import open_detector, threads, within
from tests.sources.mjpeg import MjpegServer


@pytest.fixture
def detector(tmp_path: Path) -> Iterator[Detector]:
    with open_detector(tmp_path) as opened:
        yield opened


@pytest.fixture
def cameras() -> Iterator[List[MjpegServer]]:
    running = [MjpegServer() for _ in range(4)]
    yield running
    for server in running:
        server.stop()


class Counting:
    """A sink that counts the frames of each source, and remembers their numbers."""

    target = "counting"

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self.last: Dict[str, int] = {}
        self.doubled = 0

    def write(self, result: Result) -> None:
        frame = result.frame
        self.frames[frame.source] += 1
        self.doubled += frame.index <= self.last.get(frame.source, -1)
        self.last[frame.source] = frame.index

    def close(self) -> None:
        pass


def running(pipeline: Pipeline) -> threading.Thread:
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    return thread


def ours() -> List[str]:
    return [name for name in threads() if name.startswith(("connection", "source", "close", "detect"))]


def state(pipeline: Pipeline, place: int) -> Any:
    return pipeline.states[place]["state"]


def test_one_that_is_lost_for_good_stops_no_other(detector: Detector, cameras: List[MjpegServer]) -> None:
    before, sink = ours(), Counting()
    pipeline = Pipeline(detector, [camera.url for camera in cameras], sink)
    run = running(pipeline)
    assert within(10, lambda: len(sink.frames) == 4)
    cameras[1].stop()
    assert within(10, lambda: state(pipeline, 1) == "lost")
    others = [cameras[place].url for place in (0, 2, 3)]
    counted = [sink.frames[url] for url in others]
    assert within(10, lambda: all(sink.frames[url] > n + 50 for url, n in zip(others, counted)))
    assert [state(pipeline, place) for place in (0, 2, 3)] == ["live"] * 3
    pipeline.stop()
    run.join(10)
    summary = pipeline.summary()
    assert not run.is_alive() and not summary["failed"] and not summary["left_behind"] and not sink.doubled
    lost = summary["states"][1]
    assert lost["source"] == cameras[1].url and lost["state"] == "lost" and lost["reason"] and lost["frames"] > 0
    assert within(10, lambda: ours() == before)


def test_killed_again_and_again(detector: Detector, cameras: List[MjpegServer]) -> None:
    sink, held = Counting(), None
    pipeline = Pipeline(detector, [cameras[0].url, cameras[1].url], sink)
    run = running(pipeline)
    for _ in range(4):
        cameras[1].stop()
        assert within(10, lambda: state(pipeline, 1) == "lost")
        cameras[1] = MjpegServer(cameras[1].port)
        assert within(10, lambda: state(pipeline, 1) == "live")
        counted = sink.frames[cameras[1].url]
        assert within(10, lambda counted=counted: sink.frames[cameras[1].url] > counted)
        names = [name for name in threads() if not name.startswith("Thread")]
        held = held or names
        assert names == held
    pipeline.stop()
    run.join(10)
    assert not run.is_alive() and pipeline.states[1]["reconnects"] == 4 and not sink.doubled


def test_away_at_the_start_with_others(detector: Detector, cameras: List[MjpegServer], caplog: Any) -> None:
    cameras[1].stop()
    sink = Counting()
    pipeline = Pipeline(detector, [camera.url for camera in cameras[:2]], sink)
    assert [source.name for source in pipeline.sources] == [camera.url for camera in cameras[:2]]
    run = running(pipeline)
    assert within(10, lambda: sink.frames[cameras[0].url] > 5 and state(pipeline, 1) == "connecting")
    assert f"source {cameras[1].url} is connecting: connection refused" in caplog.text
    cameras[1] = MjpegServer(cameras[1].port)
    assert within(10, lambda: sink.frames[cameras[1].url] > 5)
    pipeline.stop()
    run.join(10)
    assert [state(pipeline, place) for place in (0, 1)] == ["live", "live"] and not pipeline.summary()["failed"]


def test_one_alone_must_be_there_unless_told_otherwise(detector: Detector, cameras: List[MjpegServer]) -> None:
    cameras[0].stop()
    with pytest.raises(SourceError, match="no stream at"):
        Pipeline(detector, cameras[0].url)
    with pytest.raises(SourceError, match="no stream at"):
        Pipeline(detector, [cameras[0].url, cameras[1].url], fail_fast=True)
    options = SourceOptions(wait=True, max_tries=2)
    with pytest.raises(SourceError, match="did not come back in 2 tries"):
        Pipeline(detector, cameras[0].url, source_options=options).run()


def test_a_mute_one_delays_neither_start_nor_end(detector: Detector, cameras: List[MjpegServer], monkeypatch) -> None:
    monkeypatch.setattr(ends, "START_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"rtsp://127.0.0.1:{mute.getsockname()[1]}/live"
        began_s = time.monotonic()
        pipeline = Pipeline(detector, [address, cameras[0].url])
        results = iter(pipeline)
        assert next(results).frame.source == cameras[0].url
        results.close()
        pipeline.close()
        assert time.monotonic() - began_s < 5, "less than the time limit of a connection"
        assert pipeline.summary()["left_behind"] == [] and state(pipeline, 0) == "connecting"
