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


def _with_av(path: Path) -> str:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for image in frames():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return "h264 (PyAV, default settings)"


def _with_cv2(path: Path) -> str:
    import cv2

    size: Tuple[int, int] = (1280, 720)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, size)
    for image in frames():
        writer.write(image)
    writer.release()
    return "MPEG-4 part 2 (OpenCV's mp4v; install av for h264)"
