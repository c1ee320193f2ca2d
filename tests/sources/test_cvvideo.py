"""Video files read by OpenCV, where PyAV is not installed."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Dict, Sequence

import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.errors import SourceError
from edge_runtime.imaging import pyav
from edge_runtime.sources import SourceOptions, _cvvideo
from edge_runtime.sources._whole import counts_frames, cut_inside
from tests.sources.clips import number, write_clip, write_cut_avi, write_stamped, write_trimmed


@pytest.fixture(autouse=True)
def without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyav, "reason", lambda: "av is not installed: pip install av")


def test_it_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pyav._say_once.cache_clear()
    clip = write_clip(tmp_path / "clip.mp4", 3)
    with caplog.at_level(logging.WARNING, "edge_runtime"):
        for _ in range(2):
            sources.open(str(clip)).close()
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == [
        "av is not installed: pip install av"
    ]


@pytest.mark.parametrize("suffix, fourcc", [(".mp4", "mp4v"), (".avi", "MJPG"), (".mkv", "mp4v")])
def test_every_frame_in_media_time(tmp_path: Path, suffix: str, fourcc: str) -> None:
    source = sources.open(str(write_clip(tmp_path / f"clip{suffix}", 30, fourcc, fps=12.5)))
    assert source.fps == 12.5 and source.frame_count == 30 and not source.live
    frames = list(iter(source.read, None))
    assert [number(frame.image) for frame in frames] == list(range(30))
    assert [frame.timestamp_s for frame in frames] == pytest.approx(np.arange(30) / 12.5, abs=1e-3)


def test_a_truncated_file_and_one_that_loops(tmp_path: Path) -> None:
    source = sources.open(str(write_cut_avi(tmp_path / "cut.avi", 100, 50)))
    with pytest.raises(SourceError, match="truncated: 50 of 100 frames"):
        list(iter(source.read, None))
    source = sources.open(str(write_clip(tmp_path / "clip.mp4", 3)), SourceOptions(loop=True))
    assert [number(source.read().image) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    source.close()


def test_a_recording_that_begins_late_is_whole(tmp_path: Path) -> None:
    source = sources.open(str(write_stamped(tmp_path / "late.mkv", [5000 + 80 * i for i in range(20)], rate=30)))
    assert source.fps == pytest.approx(12.5)
    assert [frame.timestamp_s for frame in iter(source.read, None)] == pytest.approx(np.arange(20) * 0.08, abs=2e-3)


FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
EVEN = [round(1000 * i / 5.1) for i in range(30)]  # OpenCV 4.8 reads five times this rate


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov"])
@pytest.mark.parametrize(
    ("stamps_ms", "options"),
    [(EVEN, {}), (EVEN, FRAGMENTS), ([40 * i if i < 10 else 100 * i for i in range(30)], {})],
    ids=["even", "in fragments", "slower from the tenth"],
)
def test_the_number_of_frames_of_a_rate_that_is_read_wrong(
    tmp_path: Path, name: str, stamps_ms: Sequence[int], options: Dict[str, str]
) -> None:
    source = sources.open(str(write_stamped(tmp_path / name, stamps_ms, rate=5.1, options=options)))
    assert source.frame_count == len(list(iter(source.read, None))) == 30


def test_a_length_that_no_file_has_is_no_error(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    for name in (b"free", b"mdat"):
        clip.write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\1" + name + b"\xff" * 8)
        assert (cut_inside(str(clip)), counts_frames(str(clip))) == ("its media data" if name == b"mdat" else "", True)


def test_a_trimmed_file_is_whole_and_one_without_its_end_is_not(tmp_path: Path) -> None:
    clip = write_trimmed(tmp_path / "clip.mp4")
    assert len(list(iter(sources.open(str(clip)).read, None))) == 20
    whole = write_stamped(clip, range(0, 1200, 40), options={"movflags": "faststart"}).read_bytes()
    clip.write_bytes(whole[: len(whole) * 97 // 100])
    with pytest.raises(SourceError, match="truncated: it ends inside"):
        list(iter(sources.open(str(clip)).read, None))


@pytest.mark.parametrize("name", ["2024-11-14T22:57:44+02:00.mp4", "%03d.mp4", "file:a.mp4", "a\nb.mp4"])
def test_a_name_is_read_as_nothing_else(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mp4", 3).rename(tmp_path / name)
    assert len(list(iter(sources.open(name).read, None))) == 3


def test_two_decoder_threads_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    import cv2

    source = sources.open(str(write_clip(tmp_path / "clip.mp4", 3)))
    assert os.environ["OPENCV_FFMPEG_THREADS"] == "2"
    if hasattr(cv2, "CAP_PROP_N_THREADS"):  # since OpenCV 4.6
        assert source._capture.get(cv2.CAP_PROP_N_THREADS) == 2


class Told:
    """A capture that tells a rate, and frames at other times."""

    def __init__(self, fps: float, *at_ms: float) -> None:
        self.fps, self._at_ms, self._now, self.reopened = fps, at_ms, -1, False

    def read(self) -> object:
        self._now += 1
        return None if self._now >= len(self._at_ms) else object()

    def get(self, prop: int) -> float:
        return self._at_ms[self._now]

    def reopen(self) -> None:
        self.reopened = True


@pytest.mark.parametrize(
    ("told", "start_s", "fps"),
    [
        (Told(21.9, 0, 136.99, 273.97, 410.96), 0, 7.3),
        (Told(25, 0, 40, 80, 121), 0, 25),
        (Told(30, 5000, 5080, 5160), 5, 12.5),
        (Told(25, 0), 0, 25),
        (Told(25), 0, 25),
    ],
)
def test_the_rate_is_that_of_the_frames(told: Told, start_s: float, fps: float) -> None:
    assert _cvvideo._measured(told) == (start_s, pytest.approx(fps, rel=1e-3)) and told.reopened


@pytest.mark.parametrize("frames", [0, 5])
def test_closing_during_a_read_is_an_end_and_no_truncated_file(
    tmp_path: Path, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = sources.open(str(write_clip(tmp_path / "clip.mp4", 30)))
    for _ in range(frames):
        assert source.read() is not None
    monkeypatch.setattr(source._capture, "read", lambda buffer: source.close())  # by another thread, just now
    assert source.read() is None
    assert source.read() is None
