"""Packets that are written again as they are: the pictures stay the same, whatever the codec."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, List, Tuple

import numpy as np
import pytest

from edge_runtime.imaging.remux import Encoded, Remuxer, _copy, header_of, header_of_units
from tests.sources.clips import number, write_stamped

av = pytest.importorskip("av")
CODECS = {"h264": "libx264", "hevc": "libx265", "mjpeg": "mjpeg"}


def packets(path: Path) -> Tuple[bytes, List[Encoded]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        found: List[Encoded] = []
        for packet in container.demux(stream):
            if packet.size:
                found.append(Encoded.of(packet, found[-1].dts if found else None))
        return header_of(stream, found[0]), found


def shown(path: Path) -> List[Any]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def clip(tmp_path: Path, codec: str, frames: int = 30) -> Path:
    form = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    params = "bframes=2:keyint=10:log-level=none" if codec != "mjpeg" else ""
    try:
        return write_stamped(
            tmp_path / "clip.mkv", range(0, frames * 40, 40), codec=CODECS[codec], pix_fmt=form, size_wh=(320, 240),
            x264_params="" if codec == "hevc" else params,
        )  # fmt: skip
    except av.error.FFmpegError:
        pytest.skip(f"this FFmpeg has no encoder for {codec}")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_pictures_stay_as_they_are(tmp_path: Path, codec: str, suffix: str) -> None:
    source, out = clip(tmp_path, codec), tmp_path / f"out{suffix}"
    header, found = packets(source)
    writer = Remuxer(str(out), header)
    for packet in found:
        writer.add(packet)
    writer.close()
    writer.close()
    before, after = shown(source), shown(out)
    assert len(after) == len(before) == 30
    for one, other in zip(before, after):
        np.testing.assert_array_equal(one.to_ndarray(), other.to_ndarray())
    times = [frame.time - after[0].time for frame in after]
    assert times == pytest.approx([0.04 * index for index in range(30)], abs=2e-3)


def test_from_a_later_key_picture(tmp_path: Path) -> None:
    header, found = packets(clip(tmp_path, "h264"))
    start = [index for index, packet in enumerate(found) if packet.key][1]
    writer = Remuxer(str(tmp_path / "out.mp4"), header)
    for packet in found[start:]:
        writer.add(packet)
    writer.close()
    after = shown(tmp_path / "out.mp4")
    assert after[0].key_frame and number(after[0].to_ndarray(format="bgr24")) == 10 and len(after) == 20


def test_what_is_not_finished_plays_to_its_last_key_picture(tmp_path: Path) -> None:
    header, found = packets(clip(tmp_path, "h264", 60))
    writer = Remuxer(str(tmp_path / "out.mp4"), header)
    for packet in found:
        writer.add(packet)
    (tmp_path / "killed.mp4").write_bytes((tmp_path / "out.mp4").read_bytes())
    writer.close()
    assert 40 <= len(shown(tmp_path / "killed.mp4")) < 60


def test_a_clock_that_stands_still(tmp_path: Path) -> None:
    header, found = packets(clip(tmp_path, "mjpeg"))
    writer = Remuxer(str(tmp_path / "out.mkv"), header)
    for packet in found:
        writer.add(packet._replace(pts=5, dts=5, time_base=Fraction(1, 1000)))
    writer.close()
    assert len(shown(tmp_path / "out.mkv")) == 30


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_stream_without_a_container(tmp_path: Path, codec: str, suffix: str) -> None:
    """As RTP brings it: units behind start codes, the parameter sets before each key picture."""
    source, out = clip(tmp_path, codec), tmp_path / f"out{suffix}"
    raw = tmp_path / f"raw.{codec}"
    with av.open(str(source)) as container, av.open(str(raw), "w", format=codec) as plain:
        stream = container.streams.video[0]
        copy = _copy(plain, stream)
        for packet in container.demux(stream):
            if packet.size:
                packet.stream = copy
                plain.mux(packet)
    with av.open(str(raw), format=codec) as container:
        data = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    found = packets(source)[1]
    writer = Remuxer(str(out), header_of_units(codec, data[0]))
    for packet, units in zip(found, data):
        writer.add(packet._replace(data=units))
    writer.close()
    with av.open(str(out)) as container:
        written = next(container.demux(video=0))
        assert int.from_bytes(bytes(written)[:4], "big") > 1, "a length, as players want it, and no start code"
    assert [frame.to_ndarray().sum() for frame in shown(out)] == [frame.to_ndarray().sum() for frame in shown(source)]
