"""Streams and cameras by PyAV: what is no camera, what hangs, what is broken."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from edge_runtime.sources import _avlive, _avreader, v4l2
from edge_runtime.sources._avcapture import AvCapture
from edge_runtime.sources._avlive import LiveReader
from edge_runtime.sources._avopen import open_file
from tests.sources.clips import write_stamped

av = pytest.importorskip("av")


def pattern() -> Any:
    """FFmpeg's own test picture, in the place of a camera."""
    return av.open("testsrc2=size=64x48:rate=30:duration=0.2", format="lavfi")


class Hanging:
    """A container whose camera gives some pictures, then none, as a driver without blocking says."""

    def __init__(self, pictures: int) -> None:
        self._container, self._left = pattern(), pictures
        self.streams, self.format, self.close = self._container.streams, self._container.format, self._container.close

    def demux(self, stream: Any) -> Iterator[Any]:
        packets = self._container.demux(stream)
        while self._left:
            self._left -= 1
            yield next(packets)
        raise BlockingIOError


def test_pictures_until_the_end() -> None:
    capture = AvCapture(pattern)
    assert capture.opened and (capture.size, capture.fps) == ("64x48", 30)
    pictures = list(iter(capture.read, None))
    assert len(pictures) == 6 and {(p.width, p.height) for p in pictures} == {(64, 48)}
    capture.reopen()
    assert capture.read() is not None
    capture.close()
    capture.reopen()
    assert capture.read() is None and not capture.opened


@pytest.mark.parametrize(("codec", "pix_fmt", "own"), [("rawvideo", "yuyv422", True), ("mjpeg", "yuvj422p", False)])
def test_pictures_that_are_not_coded_are_copied(tmp_path: Path, codec: str, pix_fmt: str, own: bool) -> None:
    """A camera's lie in memory of its driver, which closing takes away from the frames in hand."""
    clip = write_stamped(tmp_path / "clip.avi", range(0, 200, 40), codec=codec, pix_fmt=pix_fmt)
    capture = AvCapture(lambda: open_file(str(clip)))
    picture = capture.read()
    assert picture is not None and [plane.flags.owndata for plane in picture.planes] == [own] * len(picture.planes)
    capture.close()
    assert abs(int(picture.bgr().mean()) - 40) <= 4


def test_a_camera_that_hangs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_avreader, "MOST_WAITING_S", 0.05)
    capture = AvCapture(lambda: Hanging(3))
    assert len(list(iter(capture.read, None))) == 3 and capture.error == "no picture in 0.05 s"


def test_a_camera_that_hangs_can_be_closed() -> None:
    capture, ended = AvCapture(lambda: Hanging(0)), threading.Event()
    reader = threading.Thread(target=lambda: ended.set() if capture.read() is None else None)
    reader.start()
    time.sleep(0.02)
    capture.close()
    assert ended.wait(5)
    reader.join()


def test_nothing_but_broken_pictures_is_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = str(write_stamped(tmp_path / "clip.mkv", range(0, 1200, 40)))
    limits = iter((1, 1 << 24))  # the decoder refuses every picture; the reader does not
    monkeypatch.setattr(LiveReader, "_most_pixels", property(lambda self: next(limits)))
    capture = AvCapture(lambda: open_file(clip), patience=10)
    assert capture.read() is None and capture._reader.lost_at_the_end() == 10


def test_the_kinds_that_a_camera_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(device: str, kind: Any, *_: Any) -> None:
        asked.append(kind)
        raise (ValueError("no such kind") if kind != "yuyv422" else FileNotFoundError(2, "gone"))

    monkeypatch.setattr(v4l2, "open_camera", refuse)
    capture = v4l2._camera(63, v4l2.SourceOptions())
    assert asked == ["mjpeg", "yuyv422"] and not capture.opened and capture.error == "gone"


def test_pictures_that_would_fill_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = str(write_stamped(tmp_path / "clip.mkv", range(0, 200, 40)))
    monkeypatch.setattr(_avlive, "MOST_PIXELS", 64 * 48 - 1)
    capture = AvCapture(lambda: open_file(clip))
    assert not capture.opened and "pictures of 64x48 are too large" in capture.error
