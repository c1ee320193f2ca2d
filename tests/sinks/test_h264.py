"""Our H.264 in MP4 and Matroska beside what FFmpeg's own muxer makes of the same pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.sinks import _h264

av = pytest.importorskip("av")
PROFILES = ["baseline", "main", "high"]


def pictures(profile: str) -> list:
    """Packets of libx264, with start codes."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = 96, 64, "yuv420p"
    context.time_base = Fraction(1, 25)
    context.options = {"profile": profile, "tune": "zerolatency", "aud": "1", "g": "4", "sc_threshold": "0"}
    noise = np.random.default_rng(0).integers(0, 256, (6, 96, 96), np.uint8)
    frames = [av.VideoFrame.from_ndarray(image, "yuv420p") for image in noise]
    for index, frame in enumerate(frames):
        frame.pts = index
    return [packet for frame in [*frames, None] for packet in context.encode(frame)]


@pytest.fixture(params=PROFILES)
def packets(request: pytest.FixtureRequest) -> list:
    try:
        return pictures(request.param)
    except (av.FFmpegError, ValueError) as error:
        pytest.skip(f"no libx264: {error}")


def test_the_configuration_is_that_of_ffmpeg(packets: list, tmp_path: Path) -> None:
    raw = tmp_path / "raw.h264"
    raw.write_bytes(b"".join(map(bytes, packets)))
    with av.open(str(raw)) as source, av.open(str(tmp_path / "theirs.mp4"), "w") as target:
        old = source.streams.video[0]
        add = getattr(target, "add_stream_from_template", None)
        stream = add(old) if add else target.add_stream(template=old)
        for index, packet in enumerate(p for p in source.demux(old) if p.size):
            packet.stream, packet.pts, packet.dts = stream, index * 1000, index * 1000
            target.mux(packet)
    with av.open(str(tmp_path / "theirs.mp4")) as theirs:
        assert _h264.config(bytes(packets[0])) == bytes(theirs.streams.video[0].codec_context.extradata)
        kept = [bytes(packet) for packet in theirs.demux() if packet.size]
    assert len(kept) == len(packets)
    for ours, other in zip(map(bytes, packets), kept):
        assert _h264.framed(ours) == without_sets(other)


def without_sets(packet: bytes) -> bytes:
    kept, at = b"", 0
    while at < len(packet):
        length = 4 + int.from_bytes(packet[at : at + 4], "big")
        kept += packet[at : at + length] if packet[at + 4] & 31 not in (7, 8, 9) else b""
        at += length
    return kept


def test_a_packet_without_parameter_sets_has_no_configuration(packets: list) -> None:
    assert _h264.config(bytes(packets[1])) == b"" and _h264.framed(bytes(packets[1]))
