"""Annotated video: what is in it, and that it plays after anything that can happen to a run."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from time import monotonic, sleep
from typing import Iterator, List

import cv2
import numpy as np
import pytest

from edge_runtime import sinks, sources
from edge_runtime.errors import SinkError
from edge_runtime.imaging import pyav
from edge_runtime.sinks import SinkOptions, _avi, _cvencoder
from edge_runtime.sinks._cvencoder import BEHIND
from tests.sinks.results import result, small_disk

MISSING = "av is not installed: pip install av"
KINDS = [".mp4", ".mkv", ".avi", "-opencv.mp4"]


@pytest.fixture(autouse=True)
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyAV, OpenCV encodes."""
    if "opencv" in request.node.name:
        monkeypatch.setattr(pyav, "reason", lambda: MISSING)


def play(path: Path) -> List[np.ndarray]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    return [image for _, image in iter(capture.read, (False, None))]


@pytest.mark.parametrize("suffix", [*KINDS, ".MP4"])
@pytest.mark.parametrize("fps", [25.0, 12.5, 29.97, 30000 / 1001, 7.3])
def test_frames_size_and_rate(tmp_path: Path, suffix: str, fps: float) -> None:
    path = tmp_path / f"out{suffix}"
    sink = sinks.open(str(path), SinkOptions(fps=fps))
    for i in range(12):
        sink.write(result(i, fps=fps))
    sink.close()
    source = sources.open(str(path))  # not OpenCV itself, which 4.8 reads a rate too high with
    assert source.fps == pytest.approx(fps, rel=1e-3) and source.frame_count == 12
    assert [image.shape for image in play(path)] == [(48, 64, 3)] * 12
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name], "no temporary file is left"


def test_boxes_are_drawn(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.avi"))
    sink.write(result(0))
    sink.close()
    image = play(tmp_path / "out.avi")[0].astype(int)
    assert np.abs(image[20:44, 4] - 40).max() > 50, "left edge of the first box"
    assert np.abs(image[46:, 50:] - 40).max() < 15, "where nothing was drawn"


def test_another_size_is_fitted_in_on_black(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.avi"))
    item = result(0, 100, 200)
    sink.write(item)
    for height, width in ((50, 50), (400, 200)):
        item = result(60, height, width)
        item.detections.xyxy = item.detections.xyxy[:0]
        sink.write(item)
    sink.close()
    _, square, tall = play(tmp_path / "out.avi")
    assert square.shape == tall.shape == (100, 200, 3)
    for image, half_w in ((square, 50), (tall, 25)):
        inside = image[:, 100 - half_w + 4 : 100 + half_w - 4]
        assert abs(float(inside.mean()) - 100) < 8 and inside.std() < 10
        assert image[:, : 100 - half_w - 4].max() < 20 and image[:, 100 + half_w + 4 :].max() < 20


def test_an_earlier_file_is_replaced_by_the_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"earlier")
    sink = sinks.open(str(path))
    assert path.read_bytes() == b"earlier"
    sink.write(result(0))
    sink.close()
    assert len(play(path)) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_no_frame_no_file(tmp_path: Path, suffix: str) -> None:
    sinks.open(str(tmp_path / f"out{suffix}")).close()
    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys
from itertools import count
from tests.sinks.results import result
from edge_runtime import sinks
from edge_runtime.imaging import pyav
if "opencv" in sys.argv[1]:
    pyav.reason = lambda: "av is not installed: pip install av"
sink = sinks.open(sys.argv[1])
for i in count():
    sink.write(result(i * int(sys.argv[2]), 240, 320, noise=sys.argv[2] == "1", fps=30))
    print(i + 1, flush=True)
"""


@pytest.mark.parametrize("frames", [1, 5, 90])
@pytest.mark.parametrize("scene", ["0", "1"], ids=["calm", "busy"])
@pytest.mark.parametrize("suffix", KINDS)
def test_plays_after_a_kill(tmp_path: Path, suffix: str, scene: str, frames: int) -> None:
    path = tmp_path / f"out{suffix}"
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path), scene], stdout=subprocess.PIPE, encoding="utf-8")
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) >= frames + BEHIND:
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    images = play(path)
    assert len(images) >= frames and {image.shape for image in images} == {(240, 320, 3)}
    assert sources.open(str(path)).fps == pytest.approx(30, rel=1e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_one_can_seek_in_a_finished_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    sink = sinks.open(str(path), SinkOptions(fps=10))
    for i in range(60):
        sink.write(result(i * 2, 120, 160, fps=20))
    sink.close()
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert capture.set(cv2.CAP_PROP_POS_FRAMES, 40)
    read, image = capture.read()
    assert read and abs(float(image[60:, 100:].mean()) - 120) < 4


def test_an_avi_goes_on_in_further_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_avi, "RIFF_BYTES", 20_000)
    path = tmp_path / "out.avi"
    sink = sinks.open(str(path))
    for i in range(50):
        sink.write(result(i))
    sink.close()
    images = play(path)
    assert path.read_bytes().count(b"AVIX") > 2 and len(images) == 50
    assert [round(float(image[46:, 50:].mean()) - 40) for image in images] == pytest.approx(range(50), abs=2)


@pytest.mark.parametrize("suffix", KINDS)
def test_a_folder_that_is_removed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "folder" / f"out{suffix}"
    path.parent.mkdir()
    sink = sinks.open(str(path))
    sink.write(result(0))
    end = monotonic() + 20
    while not path.exists() and monotonic() < end:  # the encoder writes in a thread of its own
        sleep(0.01)
    shutil.rmtree(path.parent)
    with pytest.raises(SinkError, match=r"out.*(removed|No such file)"):
        for i in range(100):
            sink.write(result(i))
    with pytest.raises(SinkError):
        sink.close()
    assert not path.parent.exists()


@pytest.mark.parametrize("suffix", KINDS)
def test_an_error_of_the_disk_is_not_hidden(tmp_path: Path, suffix: str) -> None:
    """Whatever OpenCV and FFmpeg make of it: a limit stands for a disk that fails."""
    code = f"""
import resource, sys
{WRITER.split("sink =")[0]}
from edge_runtime.errors import SinkError
sink = sinks.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    for i in range(500):
        sink.write(result(i, 240, 320, noise=True))
except SinkError as error:
    print(error)
try:
    sink.close()
except SinkError:
    print(i)
"""
    path = tmp_path / f"out{suffix}"
    child = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, encoding="utf-8", timeout=60)
    said, written = child.stdout.splitlines()
    assert "cannot be written: File too large" in said and path.stat().st_size <= 200_000
    assert int(written) - BEHIND - 1 <= len(play(path)) <= int(written)


def test_an_encoder_that_is_refused_closes_no_file_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise SinkError("no FFmpeg", hint="try .avi")

    monkeypatch.setattr(_cvencoder, "_writer", refused)
    with pytest.raises(SinkError) as caught:
        _cvencoder.CvEncoder(Fraction(30), (64, 48), lambda packet: None)
    others = [os.open("/dev/null", os.O_RDONLY) for _ in range(8)]  # one of them gets the number of the pipe
    del caught
    gc.collect()
    for other in others:
        os.close(other)  # fails if it is closed already


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    yield from small_disk(tmp_path / "disk", "6m")


@pytest.mark.parametrize("suffix", KINDS)
def test_plays_to_the_last_frame_after_the_disk_was_full(disk: Path, suffix: str) -> None:
    sink = sinks.open(str(disk / f"out{suffix}"))
    written = 0
    with pytest.raises(SinkError, match="no space left") as caught:
        for i in range(1000):
            sink.write(result(i, 240, 320, noise=True))
            written += 1
    assert caught.value.hint
    sink.close()
    assert written > 20 and len(play(disk / f"out{suffix}")) == written


def test_a_size_that_cannot_be_encoded(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.mp4"))
    with pytest.raises(SinkError, match="0x0 pixels, the least is 4x4"):
        sink.write(result(0, 1, 1))
    sink.close()
    assert list(tmp_path.iterdir()) == []
