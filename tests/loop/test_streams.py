"""Sources that come and go while a pipeline runs, and the counts of each."""

from __future__ import annotations

import gc
import json
import threading
import time
from pathlib import Path
from typing import Dict, Iterator, List

import pytest

from edge_runtime.errors import SourceError, UsageError
from edge_runtime.loop import ring, streams
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.track.options import TrackOptions
from edge_runtime.types import Result
from tests.loop.parts import Numbers, Sink, descriptors, open_detector, threads, within
from tests.sources.clips import write_clip

CAMERA = "synthetic://64x48@50"


class Seen(Sink):
    """Remembers the frames of each source."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: Dict[str, List[int]] = {}

    def write(self, result: Result) -> None:
        self.frames.setdefault(result.frame.source, []).append(result.frame.index)

    def count(self, name: str) -> int:
        return len(self.frames.get(name, []))


class Running:
    """A pipeline that runs in a thread."""

    def __init__(self, pipeline: Pipeline, seen: Seen) -> None:
        self.pipeline, self.seen = pipeline, seen
        self.thread = threading.Thread(target=pipeline.run)
        self.thread.start()

    def sees(self, name: str, more: int = 5) -> bool:
        """Whether that many more frames of a source come in time."""
        wanted = self.seen.count(name) + more
        return within(20, lambda: self.seen.count(name) >= wanted)

    def end(self) -> None:
        self.pipeline.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    seen = Seen()
    found = Running(Pipeline(open_detector(tmp_path), CAMERA, seen, track=TrackOptions()), seen)
    yield found
    found.end()


def test_the_summary_has_the_counts_of_each_source(tmp_path: Path) -> None:
    clip = str(write_clip(tmp_path / "clip.mp4", 9))
    pipeline = Pipeline(open_detector(tmp_path), [clip, Numbers(4, name="b")])
    summary = pipeline.run()
    each = summary["streams"]
    assert {name: counted["frames"] for name, counted in each.items()} == {clip: 9, "b": 4}
    assert {name: counted["detections"] for name, counted in each.items()} == {clip: {"b": 9}, "b": {"b": 4}}
    for counted in each.values():
        assert counted["dropped"] == counted["gated"] == 0 and counted["fps"] > 0
        assert set(counted["latency_ms"]) == {"mean", "p50", "p95", "p99"}
        assert counted["latency_ms"]["p99"] <= summary["latency_ms"]["p99"]
    json.dumps(summary)


def test_a_source_is_added_and_the_others_go_on(running: Running, tmp_path: Path) -> None:
    assert running.sees(CAMERA)
    clip = write_clip(tmp_path / "clip.mp4", 12)
    assert running.pipeline.add(clip).name == str(clip)
    assert within(20, lambda: running.seen.count(str(clip)) == 12) and running.sees(CAMERA)
    assert running.seen.frames[str(clip)] == list(range(12))
    assert running.pipeline.summary()["streams"][str(clip)]["frames"] == 12
    second = running.pipeline.add(CAMERA)
    assert second.name == f"{CAMERA} (2)" and running.sees(second.name)
    assert [source.name for source in running.pipeline.sources] == [CAMERA, str(clip), second.name]


def test_a_removed_source_leaves_its_counts_and_nothing_else(running: Running) -> None:
    assert running.sees(CAMERA)
    running.pipeline.add(Numbers(10**9, name="busy"))
    before, opened, kept = threads(), descriptors(), rings()
    for _ in range(5):
        source = running.pipeline.add("synthetic://320x240@50")
        assert running.sees(source.name)
        running.pipeline.remove(source.name)
        assert source.name not in [each.name for each in running.pipeline.sources]
    assert running.sees(CAMERA) and running.sees("busy"), "the others go on"
    assert threads() == before and descriptors() == opened
    assert within(10, lambda: rings() == kept), "its buffers are free"
    counted = running.pipeline.summary()["streams"]["synthetic://320x240@50"]
    assert counted["frames"] >= running.seen.count("synthetic://320x240@50") >= 25


def rings() -> int:
    gc.collect()
    return sum(isinstance(item, ring.Ring) for item in gc.get_objects())


def test_a_source_that_comes_back_goes_on_with_its_ids(tmp_path: Path) -> None:
    ids: Dict[str, List[int]] = {"a": []}
    pipeline = Pipeline(open_detector(tmp_path), [Numbers(10**9, name="busy")], track=TrackOptions())
    first = Numbers(10**9, name="a")
    pipeline.add(first)  # also before it runs
    for result in pipeline:
        if result.frame.source == "a":
            ids["a"] += result.detections.tracker_id.tolist()
            if len(ids["a"]) == 5:
                pipeline.remove("a")
                ids["a"].append(0)
                pipeline.add(Numbers(10**9, name="a"))
            elif len(ids["a"]) > 12:
                pipeline.stop()
    place = ids["a"].index(0)
    assert set(ids["a"][1:place]) == {1} and 2 in ids["a"][place:], "another camera's object is another object"
    assert first.closed and pipeline.summary()["tracking"]["a"]["objects"] == {"b": 2}


def test_a_removed_source_that_waits_for_a_place_is_closed(tmp_path: Path) -> None:
    """The caller does not read, so the source waits with a frame in its hand."""
    pipeline = Pipeline(open_detector(tmp_path), [Numbers(10**9, name="a"), Numbers(40, name="b")])
    results = iter(pipeline)
    next(results)
    time.sleep(0.05)
    pipeline.remove("a")
    left = [result.frame.source for result in results]
    assert left.count("b") >= 39 and left.count("a") < 20, "only frames in work were finished"
    assert pipeline.summary()["left_behind"] == [] and pipeline.summary()["failed"] == []


def test_without_a_source_the_run_ends(running: Running) -> None:
    assert running.sees(CAMERA)
    running.pipeline.remove(CAMERA)
    running.thread.join(20)
    assert not running.thread.is_alive()
    late = Numbers(3)
    with pytest.raises(UsageError, match="too late"):
        running.pipeline.add(late)
    assert late.closed and running.pipeline.sources == []


def test_what_cannot_be_added_or_removed_changes_nothing(running: Running, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(SourceError):
        running.pipeline.add(broken)
    with pytest.raises(UsageError, match="no source 'other'") as caught:
        running.pipeline.remove("other")
    assert CAMERA in caught.value.hint
    with pytest.raises(UsageError, match="given twice"):
        running.pipeline.add(running.pipeline.sources[0])
    assert running.sees(CAMERA) and running.pipeline.summary()["failed"] == []


def test_a_source_that_fails_while_it_is_removed_is_no_failure(running: Running) -> None:
    class Touchy(Numbers):
        def read(self, buffer=None):
            time.sleep(0.02)
            if self.closed:
                raise SourceError("read after close", hint="none")
            return super().read(buffer)

    running.pipeline.add(Touchy(10**9, name="touchy", live=True))
    assert running.sees("touchy")
    running.pipeline.remove("touchy")
    assert running.sees(CAMERA) and running.pipeline.summary()["failed"] == []


def test_outputs_learn_of_a_source_that_is_added(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 12)
    pipeline = Pipeline(
        open_detector(tmp_path), "synthetic://64x48@50",
        [str(tmp_path / "{source}.jsonl"), str(tmp_path / "all.mp4"), str(tmp_path / "drawn") + "/"],
    )  # fmt: skip
    for number, result in enumerate(pipeline):
        if number == 5:
            pipeline.add(clip)
        if result.frame.source == str(clip) and result.frame.index == 11:
            pipeline.stop()
    summary = pipeline.summary()
    assert summary["failed"] == [] and summary["streams"][str(clip)]["frames"] == 12
    assert len((tmp_path / "clip.jsonl").read_text(encoding="utf-8").splitlines()) == 12
    assert len(list((tmp_path / "drawn").glob("*clip_*.jpg"))) == 12
    assert (tmp_path / "all.mp4").stat().st_size > 0


def test_the_counts_of_many_removed_sources_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEPT", 3)
    for turn in range(6):
        running.pipeline.add(Numbers(10**9, name=f"n{turn}", live=True))
        assert running.sees(f"n{turn}", 1)
        running.pipeline.remove(f"n{turn}")
    said = running.pipeline.summary()
    assert set(said["streams"]) == set(said["dropped"]) == {CAMERA, "n3", "n4", "n5"}


def test_any_thread_may_add_and_remove(running: Running) -> None:
    failures: List[BaseException] = []

    def churn(number: int) -> None:
        try:
            for turn in range(8):
                source = running.pipeline.add(Numbers(10**9, name=f"{number}-{turn}", live=bool(turn % 2)))
                running.sees(source.name, 1)
                running.pipeline.remove(source.name)
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=churn, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert failures == [] and running.sees(CAMERA)
    counted = running.pipeline.summary()["streams"].values()
    assert len(counted) == 33 and sum(each["frames"] for each in counted) >= 33
