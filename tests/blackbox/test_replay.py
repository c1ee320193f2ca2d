"""Record, then replay: equal JSON lines. And where something differs, the stage and the frame are named."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest

from edge_runtime.blackbox.engines import open_engine
from edge_runtime.blackbox.recording import Recording
from edge_runtime.blackbox.replay import Replay
from edge_runtime.loop.gate import GateOptions
from edge_runtime.loop.stream import Stream
from edge_runtime.sources import SourceOptions
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.places import Line, Zone
from tests.blackbox import scenes
from tests.blackbox.rewritten import rewrite

pytest.importorskip("av")
PLACES: Dict[str, Any] = {
    "lines": (Line("middle", ((0.5, 0), (0.5, 1))),),
    "zones": (Zone("left", ((0, 0), (160, 0), (160, 240), (0, 240)), "pixels"),),
}


def replayed(path: Path) -> Replay:
    recording = Recording(str(path))
    detector, notes = open_engine(recording.engines[0])
    with detector:
        replay = Replay(recording, [detector])
        (path.parent / "again.jsonl").write_text(scenes.as_text(list(replay.run())), encoding="utf-8")
    assert not notes
    return replay


def equal(folder: Path) -> bool:
    return (folder / "again.jsonl").read_text(encoding="utf-8") == (folder / "out.jsonl").read_text(encoding="utf-8")


def test_the_engine_that_comes_along_on_a_real_video_is_equal(tmp_path: Path) -> None:
    video = scenes.write_video(tmp_path / "a.mp4", 8)
    scenes.record(tmp_path, str(video), scenes.ENGINE, track=TrackOptions(**PLACES))
    found = replayed(tmp_path / "last.edge").found
    assert found.first is None and found.pictures == found.frames == 8 and equal(tmp_path)
    assert any(row["detections"] for row in scenes.lines(tmp_path / "out.jsonl")), "there is something to compare"


@pytest.mark.parametrize(
    ("codec", "name", "encoded"), [("libx264", "a.mp4", True), ("mjpeg", "a.avi", True), ("mpeg4", "a.mp4", False)]
)
def test_a_video_file_is_equal(codec: str, name: str, encoded: bool, tmp_path: Path) -> None:
    video = scenes.write_video(tmp_path / name, 24, codec)
    path = scenes.record(tmp_path, str(video), track=TrackOptions(**PLACES))
    found = replayed(path).found
    assert found.first is None and (found.frames, found.pictures) == (24, 24)
    assert all(stage.equal == 24 for name, stage in found.stages.items() if name != "decoding")
    assert found.stages["decoding"].equal >= 1, "the outputs of some frames are kept"
    assert equal(tmp_path)
    streams = [part for part in zipfile.ZipFile(path).namelist() if part.endswith(".mkv")]
    assert bool(streams) == encoded, "pixels are kept of what has no encoded pictures that can be copied"


def test_two_streams_with_settings_of_their_own_and_a_gate(tmp_path: Path) -> None:
    video = str(scenes.write_video(tmp_path / "a.mp4", 20))
    streams = [
        Stream(video, "gate", conf=0.5, classes=["person"], track=TrackOptions(low_threshold=0.1)),
        Stream("demo", "yard", class_conf={"person": 0.3}),
    ]
    path = scenes.record(tmp_path, streams, gate=GateOptions(), max_frames=30)
    found = replayed(path).found
    assert found.first is None and found.pictures == found.frames == 30 and equal(tmp_path)


def test_few_pictures_are_decoded_at_once_while_nothing_moves(tmp_path: Path) -> None:
    video = str(scenes.write_video(tmp_path / "a.mp4", 30, still=True))
    path = scenes.record(tmp_path, video, gate=GateOptions(every_s=60, tail_s=0.1))
    recording = Recording(str(path))
    assert sum(bool(row.get("gated")) for row in recording.results) > 20
    asked: List[int] = []
    with open_engine(recording.engines[0])[0] as detector:
        replay = Replay(recording, [detector])
        pictures = replay._pictures.of
        replay._pictures.of = lambda number: asked.append(number) or pictures(number)  # type: ignore
        ahead = [len(asked) - done for done, _ in enumerate(replay.run())]
    assert len(ahead) == 30 and max(ahead) == 1 and replay.found.first is None


def test_a_file_that_begins_again_and_again(tmp_path: Path) -> None:
    video = str(scenes.write_video(tmp_path / "a.mp4", 10))
    options = SourceOptions(loop=True)
    path = scenes.record(tmp_path, video, track=TrackOptions(), source_options=options, max_frames=25)
    found = replayed(path).found
    assert found.first is None and found.pictures == found.frames == 25 and equal(tmp_path)


def test_pictures_of_a_folder(tmp_path: Path) -> None:
    path = scenes.record(tmp_path, str(scenes.PHOTOS))
    found = replayed(path).found
    assert found.first is None and found.pictures == found.frames > 1 and equal(tmp_path)


def test_over_the_limit_the_oldest_pictures_go_and_it_is_said(tmp_path: Path) -> None:
    video = scenes.write_video(tmp_path / "a.mp4", 12, "mpeg4")
    path = scenes.record(tmp_path, str(video), box={"most_bytes": 2 << 20})
    recording = Recording(str(path))
    assert path.stat().st_size < 4 << 20
    found = replayed(path).found
    assert 0 < found.pictures < found.frames == 12 and found.first is None
    assert recording.manifest["counts"]["pixels_forgotten"] == 12 - found.pictures
    assert equal(tmp_path), "the recorded boxes take the place of pictures that are gone"


def shift_box(row: Dict[str, Any]) -> None:
    if row["found"]:
        row["found"][0][0] += 0.5


def other_hash(key: str) -> Callable[[Dict[str, Any]], None]:
    return lambda row: row.update({key: "0" * 32})


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        (other_hash("pixels"), {"picture"}),
        (other_hash("tensor"), {"tensor"}),
        (shift_box, {"network", "decoding", "tracking"}),  # outputs of the first frame are kept
    ],
)
def test_the_stage_and_the_frame_that_differ_are_named(
    change: Callable[[Dict[str, Any]], None], stages: Any, tmp_path: Path
) -> None:
    path = scenes.record(tmp_path, str(scenes.write_video(tmp_path / "a.mp4", 6)))
    number = next(n for n, row in enumerate(scenes.lines(tmp_path / "out.jsonl")) if row["detections"])

    def frames(content: bytes) -> bytes:
        rows = [json.loads(line) for line in content.splitlines()]
        change(rows[number])
        return scenes.as_text(rows).encode()

    changed = rewrite(path, {"frames.jsonl": frames})
    found = replayed(changed).found
    assert {name for name, stage in found.stages.items() if stage.differ} == stages
    assert found.first is not None
    first = found.first.first
    assert first is not None and first["frame"] == number and found.first.differ == 1


def test_other_outputs_are_said_in_decibels(tmp_path: Path) -> None:
    path = scenes.record(tmp_path, str(scenes.write_video(tmp_path / "a.mp4", 3)))

    def louder(content: bytes) -> bytes:
        with np.load(io.BytesIO(content)) as arrays:
            given = [arrays[name] * np.float32(1.001) for name in arrays.files]
        packed = io.BytesIO()
        np.savez(packed, *given)
        return packed.getvalue()

    found = replayed(rewrite(path, {"outputs/0.npz": louder})).found
    network = found.stages["network"]
    assert network.differ == 1 and network.first is not None and network.first["figure"].endswith("60.0 dB")
