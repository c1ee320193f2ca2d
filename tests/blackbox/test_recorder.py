"""What makes a black box write: faults, a request, the end. And what it never does: stop a run, replace a file."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Iterator, List

import numpy as np
import pytest

from edge_runtime.blackbox.recorder import BlackBox
from edge_runtime.blackbox.recording import Recording
from edge_runtime.detect.detector import Detector
from edge_runtime.energy.sampler import Sampler
from edge_runtime.errors import SinkError, SourceError, UsageError
from edge_runtime.loop.pipeline import Pipeline
from tests.blackbox import scenes
from tests.loop.parts import Numbers, Sink, within
from tests.tiny import boxes_v8, write_onnx


class Refusing(Sink):
    def write(self, result: Any) -> None:
        raise SinkError(f"{self.target}: no space", hint="make some")


def run(folder: Path, box: BlackBox, source: Any, sinks: Any = (), **more: Any) -> Pipeline:
    with scenes.open_engine(scenes.tiny(folder)) as detector:
        pipeline = Pipeline(detector, source, sinks, record=box, warmup=0, **more)
        with suppress(SinkError, SourceError):
            pipeline.run()
    return pipeline


@contextmanager
def running(folder: Path, box: BlackBox) -> Iterator[None]:
    """A pipeline of a live source that has given some frames. It is stopped at the end of the block."""
    with scenes.open_engine(scenes.tiny(folder)) as detector:
        pipeline = Pipeline(detector, "synthetic://64x48@60", record=box)
        thread = threading.Thread(target=pipeline.run)
        thread.start()
        try:
            assert within(20, lambda: pipeline.monitor.frames > 3)
            yield
        finally:
            pipeline.stop()
            thread.join(20)


def reasons(folder: Path) -> List[str]:
    return [Recording(str(path)).manifest["reason"] for path in sorted(folder.glob("*.edge"))]


def test_without_a_fault_nothing_is_written(tmp_path: Path) -> None:
    box = BlackBox(tmp_path / "last.edge")
    assert run(tmp_path, box, Numbers(5)).summary()["recordings"] == {"written": []} and not reasons(tmp_path)
    assert Recording(str(box.save("later"))).manifest["results"] == 5, "the API still can, after the end"


def test_an_output_that_fails_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    good = Sink()
    pipeline = run(tmp_path, BlackBox(tmp_path / "last.edge"), Numbers(30), [Refusing("broken"), good])
    assert good.seen == list(range(30))
    assert reasons(tmp_path) == ["fault: sink broken: no space"]
    assert pipeline.summary()["recordings"] == {"written": [str(tmp_path / "last.edge")]}
    (event,) = [row for row in Recording(str(tmp_path / "last.edge")).log if row["event"] == "fault"]
    assert event["what"] == "sink" and event["name"] == "broken" and event["time_s"] > 0


def test_a_source_that_breaks_and_an_earlier_recording_that_stays(tmp_path: Path) -> None:
    (tmp_path / "last.edge").write_bytes(b"of an earlier fault")
    run(tmp_path, BlackBox(tmp_path / "last.edge"), Numbers(30, fails_at=7))
    assert (tmp_path / "last.edge").read_bytes() == b"of an earlier fault"
    recording = Recording(str(tmp_path / "last-2.edge"))
    assert "the cable was pulled" in recording.manifest["reason"] and len(recording.results) == 7
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".edge", ".edge", ".onnx"], "nothing else is left"


def test_outputs_that_are_not_finite(tmp_path: Path) -> None:
    output = boxes_v8((32, 32, 16, 8, 0.9, 1))
    output[..., 0] = np.nan
    path = write_onnx(tmp_path / "bad.onnx", {"output0": output})
    with Detector.open(path, family="yolo_v8", labels="cat,person,dog", threads=1) as detector:
        Pipeline(detector, Numbers(5), record=BlackBox(tmp_path / "last.edge")).run()
    recording = Recording(str(tmp_path / "last.edge"))
    assert recording.manifest["reason"].count("not finite") == 1
    kept = [recording.outputs(number) for number in range(len(recording.frames))]
    assert any(outputs is not None and np.isnan(outputs[0]).any() for outputs in kept), "they can be looked at"


def test_in_a_batch_the_outputs_of_the_bad_frame_are_kept(tmp_path: Path) -> None:
    output = np.concatenate([boxes_v8((32, 32, 16, 8, 0.9, 1))] * 2)
    output[1, ..., 0] = np.nan
    path = write_onnx(tmp_path / "bad.onnx", {"output0": output}, input_shape=(2, 3, 64, 64))
    with Detector.open(path, family="yolo_v8", labels="cat,person,dog", threads=1, batch=2) as detector:
        pipeline = Pipeline(detector, Numbers(200), record=BlackBox(tmp_path / "last.edge"))
        pipeline.watch.every = 1
        pipeline.run()
    assert pipeline.watch.bad, "a batch that is not full has no second frame"
    recording = Recording(str(tmp_path / "last.edge"))
    assert "not finite" in recording.manifest["reason"]
    kept = [recording.outputs(number) for number in range(len(recording.frames))]
    assert sum(outputs is not None and np.isnan(outputs[0]).any() for outputs in kept) == pipeline.watch.bad


def test_a_disk_that_takes_nothing_is_counted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, good = tmp_path / "disk", Sink()
    folder.mkdir()
    box = BlackBox(folder / "last.edge", at_end=True)
    folder.rmdir()
    with caplog.at_level(logging.WARNING, "edge_runtime"):
        summary = run(tmp_path, box, Numbers(30), good).summary()["recordings"]
    assert good.seen == list(range(30)) and summary["written"] == [] and summary["lost"] == 1 and summary["why"]
    assert any("a recording is lost, all else goes on" in record.getMessage() for record in caplog.records)
    with pytest.raises(SinkError, match="could not be written"):
        box.save()


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)  # as FAT does
    (tmp_path / "last.edge").write_bytes(b"of an earlier fault")
    run(tmp_path, BlackBox(tmp_path / "last.edge", at_end=True), Numbers(3))
    assert len(Recording(str(tmp_path / "last-2.edge")).results) == 3
    assert (tmp_path / "last.edge").read_bytes() == b"of an earlier fault"


def test_it_belongs_to_one_pipeline(tmp_path: Path) -> None:
    box = BlackBox(tmp_path / "last.edge")
    with pytest.raises(UsageError, match="no pipeline"):
        box.save()
    run(tmp_path, box, Numbers(1))
    with pytest.raises(UsageError, match="another pipeline"):
        run(tmp_path, box, Numbers(1))


@pytest.mark.parametrize(("name", "value"), [("seconds", 0), ("seconds", float("nan")), ("most_bytes", 10)])
def test_numbers_that_make_no_sense(name: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=name):
        BlackBox(tmp_path / "last.edge", **{name: value})


def test_a_name_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        BlackBox(tmp_path)


def test_watts_and_clocks_are_beside_it(board_tree: Any, tmp_path: Path) -> None:
    with Sampler.open(board_tree("test-board")) as sampler:
        box = BlackBox(tmp_path / "last.edge", sampler=sampler)
        run(tmp_path, box, "demo", duration_s=2.5)
        assert within(5, lambda: bool(sampler.rails_w))
        recording = Recording(str(box.save()))
    row = recording.status[-1]
    assert row["rails_w"] and row["watts"] > 0 and row["clocks"] and row["temperatures_c"] and row["frames"] > 0


def test_faults_soon_after_a_recording_are_gathered(tmp_path: Path) -> None:
    box = BlackBox(tmp_path / "last.edge")
    with running(tmp_path, box):
        box.fault("sink", "a", ValueError("one"))
        assert within(20, lambda: len(box.written) == 1)
        box.fault("sink", "b", ValueError("two"))
        box.fault("source", "c", ValueError("three"))
    assert reasons(tmp_path) == ["fault: sink b two; source c three", "fault: sink a one"]


def test_recordings_while_it_runs_from_two_threads(tmp_path: Path) -> None:
    box = BlackBox(tmp_path / "last.edge")
    with running(tmp_path, box):
        savers = [threading.Thread(target=box.save) for _ in range(3)]
        for saver in savers:
            saver.start()
        for saver in savers:
            saver.join(20)
    assert sorted(path.name for path in tmp_path.glob("*.edge")) == ["last-2.edge", "last-3.edge", "last.edge"]
    assert reasons(tmp_path) == ["asked"] * 3


def test_encoded_frames_of_sources_that_come_later_fit_into_the_same_memory(tmp_path: Path) -> None:
    videos = [str(scenes.write_video(tmp_path / f"{number}.mp4", 5)) for number in range(5)]
    box = BlackBox(tmp_path / "a.edge")
    with scenes.open_engine(scenes.tiny(tmp_path)) as detector, Pipeline(detector, videos[0], record=box) as pipeline:
        for video in videos[1:]:
            pipeline.add(video)
        assert [ring._most for ring in pipeline.packets.values()] == [box.most_bytes // 5] * 5
