"""Video files: every frame, media time, and each way in which a file can be broken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List

import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.errors import SourceError
from edge_runtime.sources import Source, SourceOptions, video
from edge_runtime.types import Frame
from tests.sources.clips import number, write_clip, write_cut_avi


def drain(source: Source) -> List[Frame]:
    """Every frame, read into one buffer; images are copied out."""
    buffer = np.empty((48, 64, 3), np.uint8)
    frames = []
    for frame in iter(lambda: source.read(buffer), None):
        frame.image = frame.image.copy()
        frames.append(frame)
    return frames


@pytest.mark.parametrize("suffix, fourcc", [(".mp4", "mp4v"), (".avi", "MJPG"), (".mkv", "mp4v"), (".mov", "mp4v")])
def test_every_frame_in_media_time(tmp_path: Path, suffix: str, fourcc: str) -> None:
    source = sources.open(str(write_clip(tmp_path / f"clip{suffix}", 30, fourcc, fps=12.5)))
    assert source.fps == 12.5 and source.frame_count == 30 and not source.live
    frames = drain(source)
    assert [number(frame.image) for frame in frames] == list(range(30))
    assert [frame.timestamp_s for frame in frames] == pytest.approx(np.arange(30) / 12.5, abs=1e-3)
    assert source.skipped == []


@pytest.mark.parametrize("name", ["car-detection.mp4", "one-by-one-person-detection.mp4"])
def test_shared_clips(shared: Path, name: str) -> None:
    source = sources.open(str(shared / "video" / name))
    buffer = np.empty((432, 768, 3), np.uint8)
    count = 0
    for frame in iter(lambda: source.read(buffer), None):
        assert frame.image is buffer and frame.index == count
        count += 1
    assert count == source.frame_count
    assert frame.timestamp_s == pytest.approx((count - 1) / source.fps, abs=1e-3)


def test_a_little_short_is_no_error(tmp_path: Path) -> None:
    """Headers are often a frame or two off."""
    source = sources.open(str(write_cut_avi(tmp_path / "short.avi", 100, 96)))
    assert source.frame_count == 100
    assert len(drain(source)) == 96 and source.skipped == []


@pytest.mark.parametrize("whole_frames", [94, 50, 1])
def test_a_truncated_file_is_an_error_after_its_last_frame(tmp_path: Path, whole_frames: int) -> None:
    source = sources.open(str(write_cut_avi(tmp_path / "cut.avi", 100, whole_frames)))
    indexes = []
    with pytest.raises(SourceError, match=f"truncated: {whole_frames} of 100 frames"):
        for frame in iter(source.read, None):
            indexes.append(frame.index)
    assert indexes == list(range(whole_frames))
    assert source.read() is None and source.skipped == []


@pytest.mark.parametrize("left_bytes", [188 * 40 + 1, 188 * 60 + 100, 188 * 80 + 187])
def test_a_transport_stream_that_ends_inside_a_packet(tmp_path: Path, left_bytes: int) -> None:
    """It has no index: nothing else tells that something is missing."""
    write_clip(tmp_path / "whole.ts", 100, "mp4v")
    whole = (tmp_path / "whole.ts").read_bytes()
    assert len(drain(sources.open(str(tmp_path / "whole.ts")))) == 100
    (tmp_path / "cut.ts").write_bytes(whole[:left_bytes])
    source, count = sources.open(str(tmp_path / "cut.ts")), 0
    with pytest.raises(SourceError, match="is truncated: "):
        for _ in iter(source.read, None):
            count += 1
    assert 0 < count < 100 and len(whole) > left_bytes


@pytest.mark.parametrize("percent", [95, 60, 10])
def test_truncated_h264_with_its_index_in_front(shared: Path, tmp_path: Path, percent: int) -> None:
    whole = (shared / "video" / "car-detection.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * percent // 100])
    source = sources.open(str(tmp_path / "cut.mp4"))
    count = 0
    with pytest.raises(SourceError, match="is truncated"):
        for _ in iter(source.read, None):
            count += 1
    assert 0 < count < 0.95 * 377


def test_an_mp4_without_its_index_cannot_be_opened(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", 50).read_bytes()
    assert whole.rfind(b"moov") > len(whole) // 2, "this writer puts the index last"
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cannot be opened as a video"):
        sources.open(str(tmp_path / "cut.mp4"))


def test_index_but_no_readable_frame(shared: Path, tmp_path: Path) -> None:
    whole = (shared / "video" / "car-detection.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: whole.index(b"mdat") + 200])
    source = sources.open(str(tmp_path / "cut.mp4"))
    with pytest.raises(SourceError, match="no readable frame"):
        source.read()
    assert source.read() is None


@pytest.mark.parametrize("damage", [os.urandom, bytes], ids=["noise", "zeros"])
def test_a_break_in_the_middle_is_passed_over_and_counted(tmp_path: Path, damage) -> None:
    content = bytearray(write_clip(tmp_path / "clip.mp4", 50, noise=True).read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(content) // 20] = damage(len(content) // 20)
    (tmp_path / "broken.mp4").write_bytes(content)
    source = sources.open(str(tmp_path / "broken.mp4"))
    frames = list(iter(source.read, None))
    indexes = [frame.index for frame in frames]
    assert source.skipped, "the damage hit something"
    assert len(frames) + len(source.skipped) == 50 and indexes[0] == 0 and indexes[-1] == 49
    assert source.skipped[0] == f"frame {min(set(range(50)) - set(indexes))}: cannot be decoded"


def test_a_break_in_the_middle_of_h264(shared: Path, tmp_path: Path) -> None:
    content = bytearray((shared / "video" / "car-detection.mp4").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 100_000] = bytes(100_000)
    (tmp_path / "broken.mp4").write_bytes(content)
    source = sources.open(str(tmp_path / "broken.mp4"))
    frames = list(iter(source.read, None))
    assert len(source.skipped) >= 1 and len(frames) + len(source.skipped) == 377
    for frame in frames[-5:]:
        assert frame.timestamp_s == pytest.approx(frame.index / 12.5, abs=0.17)


@pytest.mark.parametrize("content", [b"", b"hello", os.urandom(50_000)], ids=["empty", "text", "noise"])
@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_garbage(tmp_path: Path, content: bytes, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"garbage{suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"cannot be opened|no readable frame"):
        sources.open(str(path)).read()
    assert capfd.readouterr().err == "", "OpenCV and FFmpeg keep quiet"


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        sources.open(str(tmp_path / "missing.mp4"))


def test_two_decoder_threads_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    import cv2

    source = sources.open(str(write_clip(tmp_path / "clip.mp4", 3)))
    assert os.environ["OPENCV_FFMPEG_THREADS"] == "2"
    if hasattr(cv2, "CAP_PROP_N_THREADS"):  # since OpenCV 4.6
        assert source._capture.get(cv2.CAP_PROP_N_THREADS) == 2


@pytest.mark.parametrize("fps", [7.3, 0.5, 14.985, 25.0])
def test_the_rate_of_an_mp4_in_fragments(tmp_path: Path, fps: float) -> None:
    """As our own output is; the FFmpeg of OpenCV 4.8 reads two or three times the rate."""
    write_clip(tmp_path / "clip.ismv", 12, fps=fps).rename(tmp_path / "clip.mp4")
    source = sources.open(str(tmp_path / "clip.mp4"))
    assert source.fps == pytest.approx(fps, rel=1e-3) and source.frame_count == 12
    frames = drain(source)
    assert [number(frame.image) for frame in frames] == list(range(12))
    assert frames[11].timestamp_s == pytest.approx(11 / fps, rel=1e-2)


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
    ("told", "times"),
    [
        (Told(21.9, 0, 136.99, 273.97, 410.96), 3),
        (Told(25, 0, 40, 80, 120), 1),
        (Told(25, 0, 40, 120, 200), 1),  # the rate varies
        (Told(25, 0), 1),
        (Told(25), 1),
    ],
)
def test_times_too_many(tmp_path: Path, told: Told, times: int) -> None:
    (tmp_path / "a.mp4").write_bytes(b"....ftyp....moof")
    assert video._times_too_many(told, str(tmp_path / "a.mp4")) == times and told.reopened
    (tmp_path / "plain.mp4").write_bytes(b"....ftyp....moov")
    assert video._times_too_many(told, str(tmp_path / "plain.mp4")) == 1


def test_a_name_that_is_no_utf8_is_opened_and_looped(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    os.rename(write_clip(tmp_path / "clip.mp4", 3), name)
    source = sources.open(os.fsdecode(name), SourceOptions(loop=True))
    assert source.name == os.fsdecode(name)
    assert [number(source.read().image) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    source.close()


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
