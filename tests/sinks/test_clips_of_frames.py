"""Clips of sources that give no encoded pictures: their frames are encoded as JPEG, once and within bounds."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import List

import numpy as np
import pytest

from edge_runtime import Pipeline, TrackOptions
from edge_runtime.sources import SourceOptions, _recorder, gstreamer
from edge_runtime.sources._live import LiveSource
from edge_runtime.sources._recorder import Recorder
from edge_runtime.types import Frame
from edge_runtime.types.packets import PacketRing
from tests.loop.parts import open_detector
from tests.sources.clips import number, write_stamped

av = pytest.importorskip("av")
from tests.sinks.played import Played, files, frames, levels, listed  # noqa: E402


def near(shown: List[int], given: List[int]) -> bool:
    """Whether the pictures are these. Two encoders in a row change a level by one at most."""
    return len(shown) == len(given) and max(abs(a - b) for a, b in zip(shown, given)) <= 1


def test_of_a_video_of_another_codec(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No picture is missing, and the times are those of its frames."""
    clip = write_stamped(tmp_path / "m.mp4", range(0, 6000, 100), rate=10, size_wh=(320, 240))
    played = Played(clip, f"clips:{tmp_path}/c?before=1&after=1")
    played.play(2.5)
    played.tell("new")
    played.tell("end")
    played.play(5)
    played.tell("counts")
    played.close()
    (file,) = files(tmp_path / "c")
    assert file.suffix == ".mkv" and near(levels(file), frames(15, 36))
    about = listed(tmp_path / "c")[file.name]
    assert about["begins_s"] == pytest.approx(1.5) and about["seconds"] == pytest.approx(2.0)
    assert "each frame is encoded as JPEG" in caplog.text and "kB each" in caplog.text


@pytest.mark.skipif(gstreamer.available() is not None, reason=str(gstreamer.available()))
@pytest.mark.parametrize("drop", ["", "drop=true"])
def test_of_a_pipeline_of_gstreamer(drop: str, tmp_path: Path) -> None:
    raw = "video/x-raw,format=NV12,width=320,height=240,framerate=30/1"
    target = f"gst:videotestsrc {'is-live=true' if drop else ''} pattern=blue ! {raw} ! appsink {drop}"
    played = Played(target, f"clips:{tmp_path}/c?before=1", 1.0)
    for _ in range(30):
        played.time_s = played.source.read().timestamp_s
    played.tell("new")
    played.tell("end")
    played.close()
    with av.open(str(files(tmp_path / "c")[0])) as container:
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert 25 <= len(pictures) <= 30 and np.abs(pictures[0].astype(int) - [255, 0, 0]).mean() < 8


class Camera:
    """A camera whose pictures are not encoded, 100 a second. It is unplugged after some."""

    opened, ended, refused, slow, lost, error, form = True, False, False, False, 0, "", ""
    fps, size, stamp_s = 100.0, "64x48", None

    def __init__(self) -> None:
        self.left, self.came_s = 20, 0.0

    def read(self, buffer=None):
        time.sleep(0.01)
        self.left, self.came_s = self.left - 1, time.monotonic()
        return np.full((48, 64, 3), 50, np.uint8) if self.left >= 0 else None

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_camera_that_comes_back_begins_another_part() -> None:
    ring = PacketRing(5.0)
    source = LiveSource("cam", Camera, SourceOptions(packets=ring), lambda why: AssertionError(why))
    stamps = [source.read().timestamp_s for _ in range(30)]
    source.close()
    kept = ring.after(0)
    assert [entry.part.number for entry in kept] == [1] * 20 + [2] * 10
    assert [ring.time_of(entry) for entry in kept] == pytest.approx(stamps, abs=1e-5)
    assert ring.begin_of(stamps[25])[0] == 26


def _frame(index: int, size_wh=(64, 48)) -> Frame:
    width, height = size_wh
    return Frame(np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8), "cam", index, index / 25)


def test_what_is_kept_is_bounded() -> None:
    ring = PacketRing(None, most_bytes=50_000)
    recorder = Recorder(ring)
    for index in range(60):
        recorder.keep(_frame(index))
        assert ring._bytes <= 50_000
    assert ring.after(0)[-1].number == 60 and len(ring.after(0)) > 3


def test_wide_frames_are_scaled_down_and_another_size_begins_another_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_recorder, "WIDEST", 64)
    ring = PacketRing(None)
    recorder = Recorder(ring)
    for size_wh in ((64, 48), (64, 48), (256, 144)):
        recorder.keep(_frame(0, size_wh))
    parts = [entry.part for entry in ring.after(0)]
    assert parts[0] is parts[1] is not parts[2]
    with av.open(io.BytesIO(parts[2].header)) as header:
        assert (header.streams.video[0].width, header.streams.video[0].height) == (64, 36)


def test_a_source_that_encodes_after_all_is_left_alone() -> None:
    """A camera that gives YUYV first, and JPEG after it was plugged in again."""
    ring = PacketRing(None)
    recorder = Recorder(ring)
    ring.begin("rawvideo", lambda first: b"")
    recorder.keep(_frame(0))
    ring.sync(7.0, 1.0)
    assert len(ring.after(0)) == 1 and ring.time_of(ring.after(0)[0]) == 0.0, "the times of frames are not its times"
    ring.begin("mjpeg", lambda first: b"header")
    recorder.keep(_frame(1))
    assert len(ring.after(0)) == 1 and not ring.wants_frames


def test_of_a_pipeline_and_of_a_source_that_is_added(tmp_path: Path) -> None:
    clips = [write_stamped(tmp_path / f"{name}.mp4", range(0, 1200, 40), size_wh=(64, 48)) for name in "ab"]
    pipeline = Pipeline(
        open_detector(tmp_path), str(clips[0]), [f"clips:{tmp_path}/c?before=1&after=0"], track=TrackOptions()
    )
    pipeline.add(str(clips[1]))
    pipeline.run()
    written = listed(tmp_path / "c")
    assert {Path(about["source"]).name for about in written.values()} == {"a.mp4", "b.mp4"}
    for file in files(tmp_path / "c"):
        with av.open(str(file)) as container:
            shown = [number(frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]
        assert near(shown, frames(0, len(shown))) and len(shown) > 20
