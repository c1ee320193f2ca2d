"""Streams with settings of their own: each gives what a run of its own with these settings gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import pytest

from edge_runtime.detect.detector import Detector
from edge_runtime.errors import SinkError, SourceError, SpecError, UsageError
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.loop.stream import Stream
from edge_runtime.loop.targets import open_source
from edge_runtime.model import shipped
from edge_runtime.sources import Source
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.places import Zone
from edge_runtime.types import Detections, Frame
from tests.loop.parts import Numbers, Sink, open_detector, within

CLIPS = "car-detection.mp4", "one-by-one-person-detection.mp4"
EVERY = Zone("all", ((0, 0), (1, 0), (1, 1), (0, 1)))


class First:
    """Some frames of another source, from 64 on. Something moves there in both clips."""

    def __init__(self, source: Source, count: int) -> None:
        self._source, self._left, self.name = source, count, source.name
        self.live, self.fps, self.frame_count, self.skipped = False, source.fps, count, source.skipped
        self.description, self.close = source.description, source.close
        for _ in range(64):
            source.read()

    def read(self, buffer: Any = None) -> Optional[Frame]:
        self._left -= 1
        frame = self._source.read(buffer) if self._left >= 0 else None
        if frame is not None:
            frame.source = self.name
        return frame


def opened(conf: float, classes: Any = None) -> Detector:
    return Detector.open(shipped.INT8, conf=conf, classes=classes, threads=1)


def found(detector: Detector, streams: List[Any], **options: Any) -> Dict[str, List[Detections]]:
    seen: Dict[str, List[Detections]] = {}
    with detector:
        for result in Pipeline(detector, streams, **options):
            seen.setdefault(result.frame.source, []).append(result.detections)
    return seen


def test_own_thresholds_are_those_of_a_run_of_its_own(shared: Path) -> None:
    clips = [str(shared / "video" / name) for name in CLIPS]

    def first(clip: str) -> Any:
        return First(open_source(clip), 12)

    together = found(
        opened(0.1), [Stream(first(clips[0]), "cars", conf=0.5), Stream(first(clips[1]), "people", conf=0.1)]
    )
    alone = found(opened(0.5), [Stream(first(clips[0]), "cars")])
    assert together["cars"] == alone["cars"] and sum(map(len, alone["cars"])) > 3
    assert together["people"] == found(opened(0.1), [Stream(first(clips[1]), "people")])["people"]
    tracked = TrackOptions(track_threshold=0.4)
    streams = [Stream(first(clips[0]), "cars", conf=0.4, track=TrackOptions(zones=(EVERY,))), Stream(first(clips[1]))]
    together = found(opened(0.1), streams, track=tracked)
    alone = found(opened(0.1), [Stream(first(clips[0]), "cars")], track=tracked)
    assert together["cars"] == alone["cars"] and together["cars"][-1].tracker_id.max() > 0


def test_classes_and_thresholds_of_classes(shared: Path) -> None:
    clip = str(shared / "video" / CLIPS[0])
    wanted = Stream(First(open_source(clip), 8), "cars", conf=0.6, class_conf={"car": 0.15}, classes=["car", "boat"])
    plain = found(opened(0.1), [Stream(First(open_source(clip), 8), "cars")])["cars"]
    boxes = found(opened(0.1), [wanted])["cars"]
    for all_of, kept in zip(plain, boxes):
        car, boat = all_of.labels.index("car"), all_of.labels.index("boat")
        mask = ((all_of.class_id == car) & (all_of.confidence > np.float32(0.15))) | (
            (all_of.class_id == boat) & (all_of.confidence > np.float32(0.6))
        )
        assert kept == all_of[mask]
    assert sum(map(len, boxes)) > 0


def test_what_the_detector_does_not_report_is_refused(tmp_path: Path) -> None:
    detector = open_detector(tmp_path)
    for stream in (Stream(Numbers(1), conf=0.1), Stream(Numbers(1), class_conf={"b": 0.2})):
        with pytest.raises(UsageError, match=r"above 0\.[12], and the detector reports those above 0\.25") as caught:
            Pipeline(detector, [stream])
        assert "open the detector with conf=0." in str(caught.value.hint)
    for stream in (Stream(Numbers(1), class_conf={"x": 0.5}), Stream(Numbers(1), classes=["x"])):
        with pytest.raises(SpecError, match="no class 'x'"):
            Pipeline(detector, stream)
    with pytest.raises(UsageError, match="two streams have the name 'a'"):
        Pipeline(detector, [Stream(Numbers(1), "a"), Stream(Numbers(2), "a")])
    with pytest.raises(UsageError, match="nothing tracks them"):
        Pipeline(detector, Stream(Numbers(1), sinks=["events:-"], track=False), track=TrackOptions())


def test_a_threshold_of_a_class_says_what_begins_a_track(tmp_path: Path) -> None:
    """The box is "b", 0.9: as long as it is not sure, it begins no track, and then it keeps the one that it has."""
    detector, pipeline = open_detector(tmp_path), None
    stream = Stream(Numbers(6), "a", class_conf={"b": 0.95}, track=TrackOptions(min_hits=1))
    seen = []
    pipeline = Pipeline(detector, stream)
    assert all(len(result.detections) == 0 for result in pipeline)
    stream = Stream(Numbers(12), "a", track=TrackOptions(min_hits=1))
    pipeline = Pipeline(detector, stream)
    for result in pipeline:
        seen.append(result.detections.tracker_id.tolist())
        if result.frame.index == 0:
            pipeline.change("a", Stream(None, class_conf={"b": 0.95}, track=TrackOptions(min_hits=1, zones=(EVERY,))))
    assert seen == [[1]] * 12, "an unsure box goes on with its object"
    assert pipeline.summary()["tracking"]["a"]["zones"]["all"]["objects"] == {"b": 1}


def test_outputs_of_one_stream(tmp_path: Path) -> None:
    everything, only = Sink(), str(tmp_path / "b.jsonl")
    streams = [Numbers(3, name="a"), Stream(Numbers(4), "b", sinks=[only, f"events:{tmp_path}/e.jsonl"])]
    summary = Pipeline(open_detector(tmp_path), streams, everything, track=TrackOptions()).run()
    assert sorted(everything.seen) == [0, 0, 1, 1, 2, 2, 3]
    rows = [json.loads(line) for line in Path(only).read_text(encoding="utf-8").splitlines()]
    assert [(row["source"], row["frame"]) for row in rows] == [("b", n) for n in range(4)]
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {event["source"] for event in events if event["source"]} == {"b"}
    assert only in summary["sinks"]


def test_a_stream_with_an_output_comes_and_goes_while_it_runs(tmp_path: Path) -> None:
    gated, own, out = Numbers(400, name="a"), Sink("own"), str(tmp_path / "c.jsonl")
    with Pipeline(open_detector(tmp_path), gated) as pipeline:
        results = iter(pipeline)
        next(results)
        pipeline.add(Stream(Numbers(5), "b", sinks=[own]))
        pipeline.add(Stream(Numbers(300), "c", sinks=[out], conf=0.95))
        with pytest.raises(UsageError, match="there is a source 'c' already"):
            pipeline.add(Stream(Numbers(5), "c"))
        assert [sink.target for sink in pipeline.sinks] == ["own", out]
        for _ in range(40):
            next(results)
        assert own.seen == [0, 1, 2, 3, 4] and own.finished == 0
        pipeline.remove("b")
        assert [sink.target for sink in pipeline.sinks] == [out]
        pipeline.remove("c")
        assert pipeline.sinks == []
        frames = [result.frame.index for result in results if result.frame.source == "a"]
    assert frames == sorted(frames) and frames[-1] == 399
    assert own.finished == 1 and gated.closed
    lines = Path(out).read_text(encoding="utf-8").splitlines()
    assert lines and all(json.loads(line)["detections"] == [] for line in lines)
    with pytest.raises(UsageError, match="no source 'z'"):
        pipeline.change("z", Stream(None))


def test_a_stream_whose_output_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """An output with {source} in its name is opened when its source is known."""
    folder = tmp_path / "c.jsonl"
    folder.mkdir()
    with Pipeline(open_detector(tmp_path), Numbers(20, name="a")) as pipeline:
        results = iter(pipeline)
        next(results)
        with pytest.raises(SinkError, match=r"c\.jsonl"):
            pipeline.add(Stream("synthetic://64x48@50", "c", sinks=[str(tmp_path / "{source}.jsonl")]))
        assert [source.name for source in pipeline.sources] == list(pipeline.streams) == ["a"]
        assert pipeline.sinks == []
        folder.rmdir()
        pipeline.add(Stream(Numbers(4), "c", sinks=[str(tmp_path / "{source}.jsonl")]))
        assert len(list(results)) == 23
    assert len(folder.read_text(encoding="utf-8").splitlines()) == 4


def test_options_that_tracks_depend_on_do_not_change(tmp_path: Path) -> None:
    with Pipeline(open_detector(tmp_path), Stream(Numbers(40), "a"), track=TrackOptions()) as pipeline:
        results = iter(pipeline)
        next(results)
        with pytest.raises(UsageError, match="lost_s, min_hits cannot change while objects are tracked"):
            pipeline.change("a", Stream(None, track=TrackOptions(lost_s=3, min_hits=1)))
        pipeline.change("a", Stream(None, track=False))
        assert within(5, lambda: next(results).detections.tracker_id is None)
        pipeline.change("a", Stream(None, track=TrackOptions(lost_s=3, min_hits=1)))
        assert within(5, lambda: next(results).detections.tracker_id is not None), "nothing was tracked meanwhile"


def test_events_begin_with_the_first_output_that_takes_them(tmp_path: Path) -> None:
    with Pipeline(open_detector(tmp_path), Numbers(200, name="a"), track=TrackOptions()) as pipeline:
        results = iter(pipeline)
        next(results)
        with pytest.raises(UsageError, match="nothing tracks them"):
            pipeline.add(Stream(Numbers(9), "c", track=False, sinks=["events:-"]))
        pipeline.add(Stream(Numbers(9), "b", sinks=[f"events:{tmp_path}/e.jsonl"]))
        assert len(list(results)) == 208
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(event["event"], event["source"]) for event in events if event["event"] == "new"] == [("new", "b")]


def test_a_stream_that_is_not_there_takes_its_outputs_along(tmp_path: Path) -> None:
    own = str(tmp_path / "b.jsonl")
    pipeline = Pipeline(open_detector(tmp_path), [Numbers(3), Stream(str(tmp_path / "no.mp4"), "b", sinks=[own])])
    with pytest.raises(SourceError, match=r"no\.mp4"):
        pipeline.run()
    summary = pipeline.summary()
    assert summary["frames"] == 3 and not summary["sinks"] and not Path(own).exists()
