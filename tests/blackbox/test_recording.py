"""A recording may come from anybody: what is damaged, hostile or of another version is an error with a hint."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import pytest

from edge_runtime.blackbox import archive, words
from edge_runtime.blackbox.engines import open_engine
from edge_runtime.blackbox.recording import Recording
from edge_runtime.blackbox.replay import Replay
from edge_runtime.errors import EdgeError, SourceError
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.tracker import Tracker
from tests.blackbox import scenes
from tests.blackbox.rewritten import rewrite

pytest.importorskip("av")


@pytest.fixture(scope="module")
def good(tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("good")
    return scenes.record(folder, str(scenes.write_video(folder / "a.mp4", 12)), track=TrackOptions())


def replay(path: Path) -> None:
    recording = Recording(str(path))
    for number, _ in enumerate(recording.frames):
        recording.outputs(number)
    with open_engine(recording.engines[0])[0] as detector:
        list(Replay(recording, [detector]).run())


def refused(path: Path) -> str:
    with pytest.raises(EdgeError) as caught:
        replay(path)
    assert caught.value.hint
    return str(caught.value)


def zipped(path: Path, **parts: Any) -> Path:
    with zipfile.ZipFile(path, "w", parts.pop("kind", zipfile.ZIP_STORED)) as file:
        for name, content in parts.items():
            file.writestr(name.replace("__", "/").replace("_json", ".json"), content)
    return path


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_cut_off(part: float, good: Path, tmp_path: Path) -> None:
    content = good.read_bytes()
    (tmp_path / "cut.edge").write_bytes(content[: int(part * len(content))])
    assert "is not a recording" in refused(tmp_path / "cut.edge")


def test_a_bit_that_has_turned(good: Path, tmp_path: Path) -> None:
    content = bytearray(good.read_bytes())
    content[content.index(b"streams/0-1.mkv") + 2000] ^= 1
    (tmp_path / "turned.edge").write_bytes(content)
    assert "streams/0-1.mkv" in refused(tmp_path / "turned.edge")


def test_compressed_parts_could_unpack_to_anything(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.edge", manifest_json=b"{}", pixels__0_json=b" " * 10_000_000, kind=zipfile.ZIP_DEFLATED)
    assert "is compressed" in refused(path)


def test_parts_that_overlap(good: Path, tmp_path: Path) -> None:
    """Many entries for the same bytes: a bomb without compression."""
    with zipfile.ZipFile(tmp_path / "a.edge", "w") as file:
        file.writestr("manifest.json", "{}")
        file.writestr("pixels/0.bin", bytes(10_000))
        first = file.infolist()[1]
        for number in range(1, 50):
            other = zipfile.ZipInfo(f"pixels/{number}.bin")
            for name in ("file_size", "compress_size", "CRC", "header_offset"):
                setattr(other, name, getattr(first, name))
            file.filelist.append(other)
            file.NameToInfo[other.filename] = other
        file._didModify = True  # type: ignore[attr-defined]
    assert "larger than the file" in refused(tmp_path / "a.edge")


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "streams/../../a.mkv", "pixels\\0.bin", "a.py", "\x1b[2J"])
def test_names_that_lead_elsewhere(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.edge", "w") as file:
        file.writestr("manifest.json", "{}")
        file.writestr(name, b"x")
    said = refused(tmp_path / "a.edge")
    assert "it has a part" in said and "\x1b" not in said and not (tmp_path.parent / "evil").exists()


def test_two_parts_of_one_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.edge", "w") as file, pytest.warns(UserWarning):
        file.writestr("manifest.json", "{}")
        file.writestr("manifest.json", "{}")
    assert "two parts of one name" in refused(tmp_path / "a.edge")


def test_too_large(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST", 1000)
    assert "is larger than" in refused(good)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"not a zip", b"PK\x03\x04" + b"\xff" * 500])
def test_something_else(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.edge").write_bytes(content)
    assert "is not a recording" in refused(tmp_path / "a.edge")


def test_a_name_without_a_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "a.edge") == f"{tmp_path / 'a.edge'} is not there"


def test_a_folder_and_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.edge")
    assert "is a folder" in refused(tmp_path) and "not a regular file" in refused(tmp_path / "pipe.edge")


def set_in(*keys: Any) -> Callable[[Dict[str, Any]], None]:
    """Sets a value deep in the manifest; the last one is the value."""
    *path, last, value = keys

    def change(about: Dict[str, Any]) -> None:
        place: Any = about
        for key in path:
            place = place[key]
        place[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_in("format", "other"),
        set_in("version", 2),
        set_in("version", [[[]]]),
        set_in("streams", {}),
        set_in("streams", []),
        set_in("streams", 0, "name", "\x1b[2J"),
        set_in("streams", 0, "parts", [{"number": -1, "codec": "h264"}]),
        set_in("engines", [None]),
        set_in("engines", 0, "spec", "mean", [1e400, 0, 0]),
        set_in("engines", 0, "thresholds", "max_det", 1 << 60),
        set_in("engines", 0, "threads", 1 << 60),
        set_in("engines", 0, "batch", 0),
        set_in("engines", 0, "backend", "../x"),
        set_in("settings", 0, "track", "lost_s", "x"),
        set_in("settings", 0, "track", "lines", [{"name": "a"}]),
        set_in("settings", 0, "classes", ["unicorn"]),
        set_in("parts", []),
        set_in("parts", "results.jsonl", "sha256", "0"),
        set_in("parts", "results.jsonl", None),
    ],
)
def test_manifests_that_make_no_sense(change: Callable[[Dict[str, Any]], None], good: Path) -> None:
    path = rewrite(good, {}, change)
    try:
        replay(path)
    except EdgeError as error:
        assert error.hint
    else:
        assert json.loads(zipfile.ZipFile(path).read("manifest.json"))["engines"][0]["backend"] == "../x"


def first_row(**values: Any) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        head, _, rest = content.partition(b"\n")
        return json.dumps({**json.loads(head), **values}).encode() + b"\n" + rest

    return change


def array(**values: Any) -> Callable[[bytes], bytes]:
    def change(_: bytes) -> bytes:
        packed = io.BytesIO()
        np.savez(packed, **values)
        return packed.getvalue()

    return change


def of_codec(name: str) -> Callable[[bytes], bytes]:
    """A stream that no recording has: FFmpeg knows hundreds of decoders."""

    def change(_: bytes) -> bytes:
        av, file = pytest.importorskip("av"), io.BytesIO()
        with av.open(file, "w", format="matroska") as container:
            stream = container.add_stream(name, rate=25)
            stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
            container.mux(stream.encode(av.VideoFrame(320, 240, "yuv420p")))
            container.mux(stream.encode())
        return file.getvalue()

    return change


def compressed(_: bytes) -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, np.zeros(1 << 20, np.float32))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("frames.jsonl", first_row(stream=5)),
        ("frames.jsonl", first_row(stream=-1)),
        ("frames.jsonl", first_row(settings=1 << 70)),
        ("frames.jsonl", first_row(found=[[1, 2, 3]])),
        ("frames.jsonl", first_row(found=[["x"] * 6])),
        ("frames.jsonl", first_row(shown_s="x")),
        ("frames.jsonl", first_row(tracks={"core": 1})),
        ("frames.jsonl", first_row(picture={"format": "bgr24", "width": 1 << 40})),
        ("frames.jsonl", first_row(kept=True)),
        ("frames.jsonl", first_row(found=[[1, 2, 3, 4, 0.9, 77]])),
        ("frames.jsonl", first_row(found=[[1, 2, 3, 4, 0.9, -5]])),
        ("frames.jsonl", first_row(tracks={**Tracker().state(), "restarts": "x"})),
        ("frames.jsonl", lambda content: content.partition(b"\n")[2]),
        ("frames.jsonl", lambda content: b"[" * 100_000),
        ("frames.jsonl", lambda content: b"\xff\xfe"),
        ("status.jsonl", lambda content: b"{}\n" * (1 << 20) + content),
        ("frames.jsonl", lambda content: None),
        ("results.jsonl", first_row(source="other")),
        ("results.jsonl", first_row(frame=None)),
        ("results.jsonl", first_row(timestamp_s=1e300)),
        ("results.jsonl", first_row(detections=[1, 2])),
        ("results.jsonl", lambda content: b"null\n" + content),
        ("streams/0-1.mkv", lambda content: b"#EXTM3U\nfile:///etc/passwd\n"),
        ("streams/0-1.mkv", lambda content: content[:300]),
        ("streams/0-1.mkv", of_codec("ffv1")),
        ("streams/0-1.json", lambda content: b'{"time_base": [0, 0], "pictures": []}'),
        ("streams/0-1.json", lambda content: b'{"time_base": [1, 1000], "pictures": [[0, 0]]}'),
        ("streams/0-1.json", lambda content: b'{"time_base": [1, 1000], "pictures": []}'),
        ("outputs/0.npz", array(a=np.zeros((1, 2, 3), np.float64))),
        ("outputs/0.npz", array(a=np.array([None], object))),
        ("outputs/0.npz", lambda content: b"PK" + struct.pack("<I", 99)),
        ("outputs/0.npz", compressed),
    ],
)
def test_parts_that_make_no_sense(name: str, change: Any, good: Path) -> None:
    assert refused(rewrite(good, {name: change}))


def test_outputs_of_another_network_part_at_the_decoding(good: Path) -> None:
    path = rewrite(good, {"outputs/0.npz": array(a=np.zeros((2, 2), np.float32))})
    recording = Recording(str(path))
    with open_engine(recording.engines[0])[0] as detector:
        run = Replay(recording, [detector])
        list(run.run())
    first = run.found.stages["decoding"].first
    assert first is not None and "holds 4 values" in first["figure"]


def test_a_stream_that_is_gone_is_said_and_the_recorded_boxes_are_used(good: Path) -> None:
    recording = Recording(str(rewrite(good, {"streams/0-1.mkv": lambda _: None})))
    with open_engine(recording.engines[0])[0] as detector:
        run = Replay(recording, [detector])
        assert list(run.run()) == recording.results
    assert run.found.pictures == 0 and run.found.frames == 12


def test_the_error_of_a_version_names_both(good: Path) -> None:
    with pytest.raises(SourceError, match="of version 2") as caught:
        Recording(str(rewrite(good, {}, set_in("version", 2))))
    assert caught.value.hint and "reads version 1" in caught.value.hint


@pytest.mark.parametrize("written_s", [1e300, -1e300, "x", [], None, 1e17])
def test_a_time_that_no_calendar_has(written_s: Any, good: Path) -> None:
    path = rewrite(good, {}, set_in("written_s", written_s))
    assert "recorded at an unknown time" in words.about(Recording(str(path)))
