"""Writes annotated video, which plays at any moment, also after a kill or on a full disk."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from typing import Any, Callable, Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SinkError
from edge_runtime.files.growing import GrowingFile
from edge_runtime.imaging.drawing import annotated
from edge_runtime.imaging.opencv import fitted, load_cv2
from edge_runtime.sinks import SinkOptions
from edge_runtime.sinks._avi import Avi
from edge_runtime.sinks._mkv import Mkv
from edge_runtime.sinks._mp4 import Mp4
from edge_runtime.sinks._mpeg4 import Mpeg4Encoder
from edge_runtime.types import Result

HANDLES = (".mp4", ".mkv", ".avi")
ONE_PICTURE = True
RESERVE_BYTES = 4 << 20  # bytes left free on the disk, to finish the file
JPEG_QUALITY = 80
SLOWEST_FPS = 0.01


def open(target: str, options: SinkOptions) -> VideoSink:
    """Opens a video file: MPEG-4 in .mp4 and .mkv, JPEG pictures in .avi, which needs no FFmpeg.

    Raises:
        SinkError: it cannot be written.
        UsageError: another run writes it.
    """
    return VideoSink(target, options.fps)


class VideoSink:
    """A video of the first frame's size. Other frames are scaled to fit, with their shape kept, on black.

    The first frame replaces an earlier file by a new one. Each frame is in the file a moment after it was written, so a
    kill loses only the newest frames. If the disk is full, everything written before plays.
    """

    def __init__(self, target: str, fps: float) -> None:
        load_cv2()
        self.target, self._fps = target, _rate(fps)
        self._file = GrowingFile(target)
        self._encoder: Any = None
        self._container: Any = None
        self._canvas: Optional[NDArray[np.uint8]] = None
        self._page: Optional[NDArray[np.uint8]] = None

    def begin(self, rates: Mapping[str, float]) -> None:
        """See `sinks.begin`: the rate of the fastest source."""
        self._fps = _rate(max(rates.values()))

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        width, height = result.frame.image_wh
        if self._file.free_bytes < RESERVE_BYTES:
            before = "what was written before plays; " if self._file.begun else ""
            raise SinkError(f"no space left for {self.target!r}", hint=f"{before}free some space")
        if self._encoder is None:
            self._start((width, height))
        self._canvas = annotated(result.frame.image, result.detections, self._canvas)
        assert self._page is not None
        same = self._canvas.shape == self._page.shape
        self._encoder.write(self._canvas if same else fitted(self._canvas, self._page))

    def close(self) -> None:
        """See `Sink.close`. Without any frame, no file is created."""
        encoder, self._encoder = self._encoder, None
        with contextlib.ExitStack() as stack:
            stack.callback(self._file.close)
            if encoder is not None:
                stack.callback(self._finish)
                encoder.close()

    def _finish(self) -> None:
        if self._file.begun:
            self._container.finish()

    def _start(self, size_wh: Tuple[int, int]) -> None:
        (width, height), suffix = size_wh, os.path.splitext(self.target)[1].lower()
        if suffix == ".avi":
            self._container = Avi(self._file, self._fps, size_wh)
            self._encoder = _JpegEncoder(self._container.add)
        else:
            even = width & -2, height & -2  # as MPEG-4 has it
            self._container = (Mp4 if suffix == ".mp4" else Mkv)(self._file, self._fps, even)
            self._encoder = Mpeg4Encoder(self._fps, size_wh, self._container.add)
        self._page = np.zeros((height, width, 3), np.uint8)


class _JpegEncoder:
    """Encodes images, and passes each on at once."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def write(self, image: NDArray[np.uint8]) -> None:
        cv2 = load_cv2()
        _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        self._take(jpeg.tobytes())

    def close(self) -> None:
        """Does nothing: no image is kept back."""


def _rate(fps: float) -> Fraction:
    return Fraction(max(fps, SLOWEST_FPS)).limit_denominator(1001)
