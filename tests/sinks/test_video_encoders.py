"""How videos are encoded: the codec, its options, sizes and colours, and what is said where an encoder is missing."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

import cv2
import numpy as np
import pytest

from edge_runtime import sinks
from edge_runtime.errors import EdgeError, SinkError, UsageError
from edge_runtime.imaging import pyav
from edge_runtime.sinks import SinkOptions, VideoOptions, _encoders
from edge_runtime.types import Detections, Frame, Result
from tests.sinks.results import result

av = pytest.importorskip("av")
NOTHING = Detections.from_rows(np.empty((0, 6), np.float32))
MISSING = "av is not installed: pip install av"


@pytest.fixture(autouse=True)
def said_anew() -> Iterator[None]:
    _encoders._say_once.cache_clear()
    yield
    _encoders._say_once.cache_clear()


def write(path: Path, *results: Result, **options: Any) -> Path:
    sink = sinks.open(str(path), SinkOptions(fps=25, video=VideoOptions(**options)))
    for item in results:
        sink.write(item)
    sink.close()
    return path


def plain(image: np.ndarray, index: int = 0) -> Result:
    return Result(Frame(image, "cam", index, index / 25), NOTHING)


def stream(path: Path) -> Dict[str, Any]:
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        context = video.codec_context
        packets = [packet for packet in container.demux(video) if packet.size]
        return {
            "codec": context.name, "size": (context.width, context.height), "pixels": context.pix_fmt,
            "keys": [packet.is_keyframe for packet in packets], "rises": all(p.pts == p.dts for p in packets),
        }  # fmt: skip


def first_image(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_h264_that_browsers_play(tmp_path: Path, suffix: str) -> None:
    """4:2:0 with 8 bits and no B-frames; in MP4 with the name `avc1`. A picture every two seconds needs no other."""
    path = write(tmp_path / f"out{suffix}", *(result(i) for i in range(120)))
    found = stream(path)
    assert (found["codec"], found["pixels"], found["rises"]) == ("h264", "yuv420p", True)
    assert [i for i, key in enumerate(found["keys"]) if key] == [0, 50, 100]
    if suffix == ".mp4":
        assert b"avc1" in path.read_bytes() and path.read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("codec, name", [("auto", "h264"), ("libx264", "h264"), ("mpeg4", "mpeg4")])
def test_what_is_asked_for(tmp_path: Path, suffix: str, codec: str, name: str) -> None:
    path = write(tmp_path / f"out{suffix}", *(result(i) for i in range(3)), codec=codec)
    assert stream(path)["codec"] == name and stream(path)["rises"]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "mpeg4.mp4", "opencv.mp4"])
@pytest.mark.parametrize("bgr", [(0, 0, 255), (255, 0, 0), (30, 200, 90), (255, 255, 255), (0, 0, 0)])
def test_colours_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, bgr: Tuple[int, int, int]
) -> None:
    if "opencv" in name:
        monkeypatch.setattr(pyav, "reason", lambda: MISSING)
    codec = "mpeg4" if "mpeg4" in name else "auto"
    path = write(tmp_path / name, plain(np.full((720, 64, 3), bgr, np.uint8)), codec=codec)
    assert np.abs(first_image(path)[100:600, 16:48].astype(int) - bgr).max() <= 8


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "mpeg4.mp4", "mpeg4.mkv"])
def test_the_matrix_is_stated(tmp_path: Path, name: str) -> None:
    """Else a player may take the other one, because the picture has 720 lines."""
    codec = "mpeg4" if "mpeg4" in name else "auto"
    path = write(tmp_path / name, plain(np.zeros((720, 64, 3), np.uint8)), codec=codec)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert int(frame.colorspace) in (5, 6) and int(frame.color_range) == 1  # BT.601 as 625 or 525 lines; limited


@pytest.mark.parametrize("name", ["a.mp4", "mpeg4.mkv", "opencv.mp4"])
@pytest.mark.parametrize("size_wh", [(65, 49), (64, 49), (65, 48)])
def test_an_odd_side_is_cut_and_nothing_is_scaled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, size_wh: Tuple[int, int]
) -> None:
    if "opencv" in name:
        monkeypatch.setattr(pyav, "reason", lambda: MISSING)
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    image[16:32, 32:48] = 255  # whole blocks of the codec, so their edges stay sharp
    path = write(tmp_path / name, plain(image), codec="mpeg4" if "mpeg4" in name else "auto")
    found = first_image(path)
    assert found.shape == (48, 64, 3)
    assert np.abs(found.astype(int) - image[:48, :64]).max() <= 40


@pytest.mark.parametrize(
    "size, expected",
    [
        ((100, 60), (100, 60)),
        (Fraction(1, 2), (160, 120)),
        ("1/4", (80, 60)),
        (0.1, (32, 24)),
        ((320, 120), (320, 120)),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_sizes(tmp_path: Path, suffix: str, size: Any, expected: Tuple[int, int]) -> None:
    path = write(tmp_path / f"out{suffix}", plain(np.full((240, 320, 3), 200, np.uint8)), size=size)
    image = first_image(path)
    assert image.shape[:2] == expected[::-1]
    if expected == (320, 120):
        assert image[:, :70].max() < 30 and image[:, 90:230].min() > 180 and image[:, 250:].max() < 30


def test_boxes_are_drawn_at_the_size_of_the_video(tmp_path: Path) -> None:
    item = plain(np.full((240, 320, 3), 60, np.uint8))
    item.detections = Detections.from_rows(np.array([[80, 120, 240, 200, 0.9, 0]], np.float32), ("car",))
    image = first_image(write(tmp_path / "out.avi", item, size=Fraction(1, 2))).astype(int)
    drawn = np.abs(image - 60).max(axis=2) > 60
    assert drawn[80, 40] and drawn[80, 120] and drawn[60, 100] and drawn[100, 80]
    assert not drawn[62:98, 43:117].any()


def test_options_reach_the_encoder(tmp_path: Path) -> None:
    frames = [result(i, 120, 160, noise=True) for i in range(10)]
    sizes = {
        name: write(tmp_path / f"{name}.mp4", *frames, **asked).stat().st_size
        for name, asked in {
            "usual": {}, "coarse": {"options": {"crf": "45"}}, "few": {"bitrate": 50_000}, "more": {"bitrate": 900_000},
            "mpeg4": {"codec": "mpeg4"}, "mpeg4-few": {"codec": "mpeg4", "bitrate": 50_000},
        }.items()
    }  # fmt: skip
    assert sizes["coarse"] < sizes["usual"] / 2 and sizes["few"] < sizes["more"] / 2
    assert sizes["mpeg4-few"] < sizes["mpeg4"] * 0.7
    keys = stream(write(tmp_path / "keys.mp4", *frames, options={"g": "3"}))["keys"]
    assert [i for i, key in enumerate(keys) if key] == [0, 3, 6, 9]


REFUSED = {
    "no such option": ({"options": {"presett": "fast"}}, UsageError, "no option 'presett'"),
    "no such value": ({"options": {"preset": "quickly"}}, SinkError, "preset=quickly"),
    "b-frames": ({"options": {"bf": "2", "tune": "film"}}, UsageError, "B-frames"),
    "b-frames of mpeg-4": ({"codec": "mpeg4", "options": {"bf": "2"}}, UsageError, "B-frames"),
    "no such codec": ({"codec": "h265"}, UsageError, "codec is 'h265'"),
    "no such size": ({"size": "half"}, UsageError, "size is 'half'"),
    "too large a part": ({"size": "3/2"}, UsageError, "size is '3/2'"),
    "no number": ({"bitrate": 5}, UsageError, "bitrate is 5"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_before_anything_is_written(tmp_path: Path, case: str) -> None:
    asked, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message) as caught:
        sinks.open(str(tmp_path / "out.mp4"), SinkOptions(video=VideoOptions(**asked)))
    assert caught.value.hint and not list(tmp_path.iterdir())


@pytest.mark.parametrize("asked", [{"codec": "h264"}, {"bitrate": 10**6}, {"options": {"crf": "20"}}])
def test_jpeg_in_avi_has_no_such_options(tmp_path: Path, asked: Dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="JPEG pictures") as caught:
        sinks.open(str(tmp_path / "out.avi"), SinkOptions(video=VideoOptions(**asked)))
    assert "mp4" in str(caught.value.hint)


def test_an_encoder_that_this_ffmpeg_lacks(tmp_path: Path) -> None:
    lacking = [name for name in _encoders.H264_ENCODERS if not _encoders.works(name)]
    if not lacking:
        pytest.skip("this FFmpeg has all")
    with pytest.raises(SinkError, match=lacking[0]) as caught:
        sinks.open(str(tmp_path / "out.mp4"), SinkOptions(video=VideoOptions(codec=lacking[0])))
    assert "mpeg4" in str(caught.value.hint)


def test_the_encoder_is_noted(tmp_path: Path) -> None:
    rates = {"a": 25.0, "b": 25.0}
    for name, note in (("out.mp4", "videos: H.264 by libx264"), ("{source}.avi", "videos: JPEG in AVI"), ("o.csv", "")):
        sink = sinks.open(str(tmp_path / name))
        sinks.begin(sink, rates)
        assert sinks.note(sink) == note
        sink.close()


def test_without_an_h264_encoder_it_is_mpeg4_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_encoders, "H264_ENCODERS", ("h264_of_nobody",))
    with caplog.at_level(logging.WARNING):
        for number in range(2):
            path = write(tmp_path / f"{number}.mp4", *(result(i) for i in range(3)))
            assert stream(path)["codec"] == "mpeg4"
    assert [record.getMessage() for record in caplog.records] == [
        "videos are MPEG-4, which browsers do not play: the FFmpeg of PyAV has no H.264 encoder that works"
    ]


def test_without_pyav_opencv_writes_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pyav, "reason", lambda: MISSING)
    with caplog.at_level(logging.WARNING):
        for number in range(2):
            path = write(tmp_path / f"{number}.mp4", *(result(i) for i in range(3)))
            assert stream(path)["codec"] == "mpeg4" and stream(path)["keys"][0]
    assert [MISSING in record.getMessage() for record in caplog.records] == [True]
    with pytest.raises(EdgeError, match="h264 needs PyAV") as caught:
        write(tmp_path / "x.mp4", codec="h264")
    assert "pip install" in str(caught.value.hint)


def test_opencv_plays_them_too(tmp_path: Path) -> None:
    """So do programs that know FFmpeg alone."""
    path = write(tmp_path / "out.mp4", *(result(i, 240, 320) for i in range(30)))
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(25, rel=1e-3)
    assert sum(1 for _ in iter(lambda: capture.read()[0], False)) == 30
