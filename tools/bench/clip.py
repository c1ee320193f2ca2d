"""A 720p video to decode: the built-in demo, encoded once per run."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Tuple

import numpy as np

from edge_runtime import sources

FPS = 30


def encode(path: Path) -> str:
    """Writes the demo's 300 frames of 1280x720; returns with which codec: h264 where PyAV is installed."""
    try:
        return _with_av(path)
    except ImportError:
        return _with_cv2(path)


def frames() -> Iterator[np.ndarray]:
    source = sources.open("demo")
    while True:
        frame = source.read()
        if frame is None:
            return
        yield frame.image


def encode_as(path: Path, codec: str, size_wh: Tuple[int, int]) -> None:
    """Writes the demo by PyAV, enlarged to that size: "h264", or "mjpeg" with 4:2:2 pixels as cameras send them."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height = size_wh
        stream.pix_fmt = "yuvj422p" if codec == "mjpeg" else "yuv420p"
        for image in frames():
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            container.mux(stream.encode(frame.reformat(*size_wh, stream.pix_fmt)))
        container.mux(stream.encode())


def _with_av(path: Path) -> str:
    encode_as(path, "h264", (1280, 720))
    return "h264 (PyAV, default settings)"


def _with_cv2(path: Path) -> str:
    import cv2

    size: Tuple[int, int] = (1280, 720)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, size)
    for image in frames():
        writer.write(image)
    writer.release()
    return "MPEG-4 part 2 (OpenCV's mp4v; install av for h264)"
