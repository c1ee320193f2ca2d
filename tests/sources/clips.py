"""Small videos whose frames can be told apart: frame i is a grey of level 40 + 6 * i."""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

import cv2
import numpy as np
import pytest


def picture(index: int, size_wh: Tuple[int, int] = (64, 48)) -> np.ndarray:
    width, height = size_wh
    return np.full((height, width, 3), 40 + 6 * index % 192, np.uint8)


def number(image: np.ndarray) -> int:
    """The index of a picture that went through a codec."""
    return round((float(image.mean()) - 38) / 6)


def write_clip(
    path: Path,
    frames: int,
    fourcc: str = "mp4v",
    fps: float = 25.0,
    noise: bool = False,
    size_wh: Tuple[int, int] = (64, 48),
) -> Path:
    """A real clip; its first 32 frames can be told apart. Noise makes them large, so that damage hits few of them."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*fourcc), fps, size_wh)
    assert writer.isOpened()
    for i in range(frames):
        image = picture(i, size_wh)
        writer.write(image + np.random.default_rng(i).integers(0, 30, image.shape, np.uint8) if noise else image)
    writer.release()
    return path


def write_cut_avi(path: Path, frames: int, whole_frames: int) -> Path:
    """An AVI whose header promises `frames`, cut in front of frame `whole_frames`."""
    content = write_clip(path, frames, "MJPG").read_bytes()
    frames_at = content.index(b"movi")
    starts = [match.start() for match in re.finditer(b"00dc", content[frames_at:])]
    path.write_bytes(content[: frames_at + starts[whole_frames]])
    return path


def write_stamped(
    path: Path,
    stamps_ms: Sequence[int],
    rate: float = 25,
    codec: str = "mpeg4",
    pix_fmt: str = "yuv420p",
    options: Optional[Dict[str, str]] = None,
    size_wh: Tuple[int, int] = (64, 48),
    x264_params: str = "",
) -> Path:
    """A clip whose frames are shown at these times, whatever rate it states. PyAV writes it."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = *size_wh, pix_fmt
        stream.codec_context.time_base = Fraction(1, 1000)
        if x264_params:
            stream.codec_context.options = {"x264-params": x264_params}
        for index, at in enumerate(stamps_ms):
            frame = av.VideoFrame.from_ndarray(picture(index, size_wh), format="bgr24")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_trimmed(path: Path) -> Path:
    """An mp4 whose edit list shows the last 20 of 30 frames. The others are in it, and counted in its header."""
    write_stamped(path, range(0, 1200, 40), codec="libx264", x264_params="bframes=2:keyint=99")
    content = bytearray(path.read_bytes())
    place = content.index(b"elst") + 12  # name, version, number of entries; then length and beginning
    length, begins = struct.unpack_from(">2i", content, place)
    scale = int.from_bytes(content[content.index(b"mdhd") + 16 :][:4], "big")
    struct.pack_into(">2i", content, place, length * 2 // 3, begins + scale * 2 // 5)
    path.write_bytes(content)
    return path
