"""Frames of PyAV: the decoder's planes and what they mean, and pictures that are turned."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import sources
from tests.sources.clips import number, write_clip, write_stamped

pytest.importorskip("av")

MATRICES = {
    "phone upright": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "upside down": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "phone head down": ((0, -1, 1, 0), np.rot90),
    "selfie": ((-1, 0, 0, 1), np.fliplr),
    "as it is": ((1, 0, 0, 1), lambda image: image),
}


def _turned_clip(path: Path, matrix) -> Path:
    """Frames with a dark corner, and the display matrix of ISO 14496-12 in the track's header."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
    for _ in range(3):
        writer.write(_corner())
    writer.release()
    content = bytearray(path.read_bytes())
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", content, content.index(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def _corner() -> np.ndarray:
    image = np.full((48, 64, 3), 200, np.uint8)
    image[:16, :24] = (160, 60, 20)
    return image


@pytest.mark.parametrize("name", MATRICES)
def test_pictures_are_turned_as_the_file_says(tmp_path: Path, name: str) -> None:
    matrix, turn = MATRICES[name]
    source, expected = sources.open(str(_turned_clip(tmp_path / "clip.mp4", matrix))), turn(_corner())
    for frame in (source.read(), source.read(np.zeros_like(expected))):
        assert frame.image_wh == expected.shape[1::-1]
        assert np.abs(frame.image.astype(int) - expected).mean() < 6


def test_frames_carry_the_decoder_s_planes(tmp_path: Path) -> None:
    """They stay as they are while later frames are decoded, and after the source is closed; nobody may write there."""
    source = sources.open(str(write_clip(tmp_path / "clip.mp4", 12)))
    frames = list(iter(source.read, None))
    source.close()
    for index, frame in enumerate(frames):
        luma, *colour = frame.pixels.planes
        assert frame.pixels.format == "i420" and luma.shape == (48, 64) and [c.shape for c in colour] == [(24, 32)] * 2
        assert number(frame.image) == index and not luma.flags.writeable and not luma.flags.owndata
    assert frames[0].image is frames[0].image


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "form", "full"),
    [
        ("mjpeg", "yuvj422p", "yuv422p", True),
        ("mjpeg", "yuvj420p", "i420", True),
        ("rawvideo", "yuyv422", "yuyv", False),
        ("rawvideo", "gray", "gray8", True),
        ("rawvideo", "nv12", "nv12", False),
        ("rawvideo", "bgr24", "bgr24", False),
        ("ffv1", "yuv444p", "bgr24", False),
    ],
)
def test_forms_of_pixels(tmp_path: Path, codec: str, pix_fmt: str, form: str, full: bool) -> None:
    clip = tmp_path / ("clip.avi" if codec == "rawvideo" else "clip.mkv")
    write_stamped(clip, [0, 40, 80], 25, codec, pix_fmt, size_wh=(62, 48))
    frame = sources.open(str(clip)).read()
    assert (frame.pixels.format, frame.pixels.matrix) == (form, "bt601")
    assert frame.pixels.full_range == full and frame.image.shape == (48, 62, 3)
    assert np.abs(frame.image.astype(int) - 40).max() <= 4


@pytest.mark.parametrize(("size_wh", "matrix"), [((1280, 720), "bt709"), ((640, 480), "bt601")])
def test_the_matrix_of_a_stream_that_states_none(tmp_path: Path, size_wh, matrix: str) -> None:
    frame = sources.open(str(write_stamped(tmp_path / "clip.mkv", [0, 40], size_wh=size_wh))).read()
    assert frame.pixels.matrix == matrix and not frame.pixels.full_range
