"""Frames of PyAV: the decoder's planes and what they mean, and pictures that are turned."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.sources._avframe import pixels_of
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


@pytest.mark.parametrize(
    ("pix_fmt", "said", "expected"),
    [
        ("yuv420p", "", ("bt601", False)),  # of 720 lines
        ("yuv420p", "colormatrix=bt709", ("bt709", False)),
        ("yuvj420p", "colormatrix=bt709", ("bt709", True)),  # phones record this
        ("yuvj420p", "", ("bt601", True)),
    ],
)
def test_colours_are_those_of_swscale(tmp_path: Path, pix_fmt: str, said: str, expected) -> None:
    """Whatever a stream states, and if it states nothing: OpenCV reads the same."""
    import av

    clip, size_wh = str(tmp_path / "clip.mkv"), (1280, 720)
    ramp = np.linspace(0, 255, 1280, dtype=np.uint8)
    image = np.ascontiguousarray(np.broadcast_to(np.stack([ramp, ramp[::-1], ramp // 2], axis=1), (720, 1280, 3)))
    with av.open(clip, "w") as container:
        stream = container.add_stream("libx264", rate=25)
        (stream.width, stream.height), stream.pix_fmt = size_wh, pix_fmt
        stream.codec_context.options = {"x264-params": said} if said else {}
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pix_fmt)))
        container.mux(stream.encode())
    frame = sources.open(clip).read()
    with av.open(clip) as container:
        colours = {"src_colorspace": 1, "dst_colorspace": 5}  # PyAV 12 does not take the stream's
        colours.update(src_color_range=2 if pix_fmt == "yuvj420p" else 1, dst_color_range=2)
        by_swscale = next(container.decode(video=0)).reformat(format="bgr24", **(colours if said else {})).to_ndarray()
    assert (frame.pixels.matrix, frame.pixels.full_range) == expected
    assert np.abs(frame.image.astype(int) - by_swscale).max() <= 2


@pytest.mark.parametrize("number", [1, 5, 7, 8, 9])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p"])
def test_a_matrix_of_any_kind_is_read(pix_fmt: str, number: int) -> None:
    """YCgCo (8) is one that FFmpeg 8 refuses. The others are near to BT.601 or BT.709 (5 and 1)."""
    import av

    frame = av.VideoFrame(64, 48, pix_fmt)
    for plane, value in zip(frame.planes, (100, 200, 60)):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.colorspace = number
    image = pixels_of(frame).bgr()
    expected = {5: [243, 125, 0]}.get(number, [250, 119, 0])  # of exact arithmetic
    assert np.abs(image.astype(int) - expected).max() <= 11 - 9 * (number in (1, 5))
