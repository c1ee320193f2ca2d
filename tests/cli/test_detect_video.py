"""edge-detect's flags for the videos that it writes, and the times in them."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest

from edge_runtime.cli import detect
from tests.sources.clips import write_stamped
from tests.tiny import boxes_v8, write_onnx

av = pytest.importorskip("av")
UNEVEN_MS = [0, 40, 80, 500, 520, 1400, 1440, 3480, 3500]


@pytest.fixture
def engine(tmp_path: Path) -> str:
    return write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})


def run(engine: str, *arguments: str) -> int:
    flags = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1", "--idle", "0", "--warmup", "0"]
    return detect.main(["--engine", engine, *flags, *arguments])


def times(path: Path) -> List[float]:
    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def test_a_varying_rate_goes_through_the_whole_pipeline(
    engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_stamped(tmp_path / "clip.mkv", UNEVEN_MS, rate=1000)
    outputs = [tmp_path / "out.mp4", tmp_path / "out.mkv", tmp_path / "out.avi"]
    assert run(engine, str(clip), *(word for path in outputs for word in ("--output", str(path)))) == 0
    for path, tick_s in zip(outputs, (1e-4, 1e-3)):
        assert times(path) == pytest.approx([ms / 1000 for ms in UNEVEN_MS], abs=tick_s)
    avi = times(outputs[2])  # at the mean rate of 2.3 frames per second
    assert len(avi) == len(UNEVEN_MS) and avi[-1] == pytest.approx(3.5, abs=0.9)
    said = capsys.readouterr().err
    assert said.count("videos: H.264 by libx264") == said.count("videos: JPEG in AVI") == 1


def test_the_flags_reach_the_encoder(engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "{source}.mp4"
    flags = "--video-size 1/2 --video-codec mpeg4 --video-bitrate 300k --video-options g=3,qmin=2".split()
    assert run(engine, "synthetic://320x240?frames=8", "--output", str(out), *flags) == 0
    written = next(tmp_path.glob("*.mp4"))
    with av.open(str(written)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.width, video.height) == ("mpeg4", 160, 120)
        keys = [packet.is_keyframe for packet in container.demux(video) if packet.size]
    assert keys == [True, False, False, True, False, False, True, False]
    assert "videos: MPEG-4 by mpeg4" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--video-size", "big"], "'big' is not WxH in pixels, or a part of the frame's size such as 1/2 or 0.5\n"),
        (["--video-size", "1"], "no output is one"),
        (["--video-codec", "h265"], "libx264"),
        (["--video-bitrate", "fast"], "800k or 2M"),
        (["--video-options", "preset"], "'preset' is not NAME=VALUE"),
        (["--video-bitrate", "2M"], "no output is one"),
        (["--output", "{tmp}/a.avi", "--video-codec", "h264"], "JPEG pictures"),
        (["--output", "{tmp}/a.mp4", "--video-options", "presett=fast"], "no option 'presett'"),
        (["--output", "{tmp}/a.webm"], "out.mp4, out.mkv or out.avi"),
    ],
)
def test_what_is_refused(
    engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: List[str], message: str
) -> None:
    try:
        code = run(engine, "synthetic://64x48?frames=3", *(flag.replace("{tmp}", str(tmp_path)) for flag in flags))
    except SystemExit as stop:
        code = int(stop.code or 0)
    said = capsys.readouterr().err
    assert code in (1, 2) and message in said and "error: " in said and "hint: " in said
    assert "Traceback" not in said and not list(tmp_path.glob("a.*"))
