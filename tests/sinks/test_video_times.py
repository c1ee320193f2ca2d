"""Videos last as long as what they show, and play at its speed, whatever its rate does."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np
import pytest

from edge_runtime import sinks, sources
from edge_runtime.sinks import SinkOptions
from edge_runtime.types import Detections, Frame, Result
from tests.sources.clips import number, picture, write_stamped

av = pytest.importorskip("av")
NOTHING = Detections.from_rows(np.empty((0, 6), np.float32))
UNEVEN_MS = [0, 40, 80, 500, 520, 1400, 1440, 1480, 3480, 3500]
TICK_S = {".mp4": 1 / 90_000, ".mkv": 1 / 1000, "-opencv.mp4": 1 / 90_000}


@pytest.fixture(autouse=True)
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "opencv" in request.node.name:
        monkeypatch.setattr("edge_runtime.imaging.pyav.reason", lambda: "av is not installed: pip install av")


def written(path: Path, times_s: Sequence[float], fps: float = 25) -> Path:
    """A video of frames that can be told apart, at these times."""
    sink = sinks.open(str(path), SinkOptions(fps=fps))
    for index, at_s in enumerate(times_s):
        sink.write(Result(Frame(picture(index), "cam", index, at_s), NOTHING))
    sink.close()
    return path


def shown(path: Path) -> Tuple[List[float], List[int], float]:
    """Times and numbers of the frames, and the duration, seconds."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = [float(frame.pts * frame.time_base) for frame in frames]
        return times, [number(frame.to_ndarray(format="bgr24")) for frame in frames], container.duration / 1e6


@pytest.mark.parametrize("suffix", TICK_S)
def test_a_file_of_a_varying_rate_goes_out_as_it_came_in(tmp_path: Path, suffix: str) -> None:
    source = sources.open(str(write_stamped(tmp_path / "in.mkv", UNEVEN_MS, rate=1000)))
    sink = sinks.open(str(tmp_path / f"out{suffix}"))
    sinks.begin(sink, {source.name: source.fps or 0.0})
    for frame in iter(source.read, None):
        sink.write(Result(frame, NOTHING))
    sink.close()
    times, numbers, duration_s = shown(tmp_path / f"out{suffix}")
    assert times == pytest.approx([ms / 1000 for ms in UNEVEN_MS], abs=TICK_S[suffix])
    assert numbers == pytest.approx(range(len(UNEVEN_MS)), abs=1)  # OpenCV gives few bits to so low a rate
    assert duration_s == pytest.approx(3.5 + 1 / (source.fps or 0), abs=0.002)


@pytest.mark.parametrize("suffix", TICK_S)
def test_a_live_clock_and_its_steps(tmp_path: Path, suffix: str) -> None:
    times = [1.8e9, 1.8e9 + 0.04, 1.8e9 + 2.0, 1.8e9 - 3000, 1.8e9 - 2999.9]  # two seconds lost; then set back
    found, numbers, _ = shown(written(tmp_path / f"out{suffix}", times))
    assert found == pytest.approx([0, 0.04, 2.0, 2.04, 2.14], abs=0.001) and numbers == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("suffix", TICK_S)
def test_frames_that_are_closer_than_a_tick(tmp_path: Path, suffix: str) -> None:
    found, numbers, _ = shown(written(tmp_path / f"out{suffix}", [i * 1e-7 for i in range(20)]))
    assert numbers == list(range(20)) and min(np.diff(found)) > 0


@pytest.mark.parametrize("suffix", [*TICK_S, ".avi"])
def test_a_camera_that_was_away_for_half_a_day(tmp_path: Path, suffix: str) -> None:
    found, _, duration_s = shown(written(tmp_path / f"out{suffix}", [0, 1, 43_000, 43_001], fps=1))
    assert found == pytest.approx([0, 1, 43_000, 43_001]) and duration_s == pytest.approx(43_002)


@pytest.mark.parametrize("fps", [0.2, 23.976, 59.94, 119.88, 240.0])
def test_usual_and_odd_rates(tmp_path: Path, fps: float) -> None:
    for suffix in (".mp4", ".mkv", "-mpeg4.mp4"):
        options = SinkOptions(fps=fps, video=sinks.VideoOptions(codec="mpeg4" if "mpeg4" in suffix else "auto"))
        sink = sinks.open(str(tmp_path / f"out{suffix}"), options)
        for index in range(6):
            sink.write(Result(Frame(picture(index), "cam", index, index / fps), NOTHING))
        sink.close()
        times, _, duration_s = shown(tmp_path / f"out{suffix}")
        assert times == pytest.approx([i / fps for i in range(6)], abs=0.0006)
        assert duration_s == pytest.approx(6 / fps, abs=0.002)


def test_an_avi_repeats_pictures_and_keeps_its_length(tmp_path: Path) -> None:
    times, numbers, duration_s = shown(written(tmp_path / "out.avi", [ms / 1000 for ms in UNEVEN_MS]))
    assert times == pytest.approx([ms / 1000 for ms in UNEVEN_MS], abs=0.04 + 1e-6)
    assert numbers == list(range(len(UNEVEN_MS))) and duration_s == pytest.approx(3.54, abs=0.05)
    source = sources.open(str(tmp_path / "out.avi"))  # it raises an error at the end of a file that it takes for cut
    assert len(list(iter(source.read, None))) == len(UNEVEN_MS)


def test_an_avi_that_gets_more_frames_than_its_rate_lasts_as_long(tmp_path: Path) -> None:
    times, numbers, duration_s = shown(written(tmp_path / "out.avi", [i / 100 for i in range(300)]))
    assert duration_s == pytest.approx(3.0, abs=0.6) and len(numbers) == pytest.approx(88, abs=4)
    assert min(np.diff(times)) > 0.03


def test_an_avi_in_parts_keeps_its_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.sinks._avi.RIFF_BYTES", 5_000)
    content = written(tmp_path / "out.avi", [i / 5 for i in range(30)]).read_bytes()
    assert content.count(b"AVIX") > 1
    times, numbers, _ = shown(tmp_path / "out.avi")
    assert numbers == list(range(30)) and times[-1] == pytest.approx(29 / 5, abs=0.05)
