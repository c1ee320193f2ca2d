"""Writes annotated video, which plays at any moment, also after a kill or on a full disk."""

from __future__ import annotations

import contextlib
import os
from typing import Mapping, Optional, Tuple

import numpy as np

from edge_runtime.errors import SinkError, UsageError
from edge_runtime.files.growing import GrowingFile
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.sinks import SinkOptions, _encoders
from edge_runtime.sinks._avi import Avi
from edge_runtime.sinks._encoders import Choice, JpegEncoder
from edge_runtime.sinks._mkv import Mkv
from edge_runtime.sinks._mp4 import Mp4
from edge_runtime.sinks._packet import Container, Encoder
from edge_runtime.sinks._page import Page
from edge_runtime.sinks._timeline import Timeline
from edge_runtime.sinks._video_options import SMALLEST, VideoOptions, page_size
from edge_runtime.types import Result

HANDLES = (".mp4", ".mkv", ".avi")
ONE_PICTURE = True
RESERVE_BYTES = 4 << 20  # bytes left free on the disk, to finish the file
SLOWEST_FPS = 0.01


def open(target: str, options: SinkOptions) -> VideoSink:
    """Opens a video file: H.264 or MPEG-4 in .mp4 and .mkv, JPEG pictures in .avi.

    Raises:
        BackendUnavailable: OpenCV is missing, or PyAV, if the options need it.
        SinkError: it cannot be written, or no encoder takes the options.
        UsageError: another run writes it, or the options do not fit.
    """
    return VideoSink(target, options)


def check(target: str, options: SinkOptions) -> str:
    """See `sinks.check`. An encoder is tried with a few pictures."""
    _chosen(target, options.video)
    return ""


class VideoSink:
    """A video of the first frame's size, or that of the options. Other frames are fitted in, on black.

    Frames are shown at their own times. Sides are even in .mp4 and .mkv: a last odd column or row is cut off.

    The first frame replaces an earlier file by a new one. Each frame is in the file a moment after it was written, so a
    kill loses only the newest frames. If the disk is full, everything written before plays.

    Attributes:
        note: codec and encoder, for people.
    """

    def __init__(self, target: str, options: SinkOptions) -> None:
        self.target, self._options, self._fps = target, options.video, max(options.fps, SLOWEST_FPS)
        self._choice = _chosen(target, options.video)
        self.note = f"videos: {self._choice.codec} by {self._choice.name}" if self._choice else "videos: JPEG in AVI"
        self._file = GrowingFile(target)
        self._encoder: Optional[Encoder] = None
        self._container: Optional[Container] = None
        self._page, self._timeline = Page(np.empty((0, 0, 3), np.uint8)), Timeline(self._fps)

    def begin(self, rates: Mapping[str, float]) -> None:
        """See `sinks.begin`: the rate of the fastest source."""
        self._fps = max(*rates.values(), SLOWEST_FPS)
        self._timeline = Timeline(self._fps)

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if self._file.free_bytes < RESERVE_BYTES:
            before = "what was written before plays; " if self._file.begun else ""
            raise SinkError(f"no space left for {self.target!r}", hint=f"{before}free some space")
        encoder = self._encoder or self._start(page_size(result.frame.image_wh, self._options.size))
        encoder.write(self._page.draw(result), self._timeline.place(result.frame))

    def close(self) -> None:
        """See `Sink.close`. Without any frame, no file is created."""
        encoder, self._encoder = self._encoder, None
        with contextlib.ExitStack() as stack:
            stack.callback(self._file.close)
            if encoder is not None:
                stack.callback(self._finish)
                encoder.close()

    def _finish(self) -> None:
        if self._file.begun and self._container:
            self._container.finish()

    def _start(self, size_wh: Tuple[int, int]) -> Encoder:
        if self._choice:
            size_wh = size_wh[0] & -2, size_wh[1] & -2
            self._encoder = self._encoded(self._choice, size_wh)
        else:
            self._container = Avi(self._file, size_wh, self._fps)
            self._encoder = JpegEncoder(self._container.add)
        self._page = Page(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))
        return self._encoder

    def _encoded(self, choice: Choice, size_wh: Tuple[int, int]) -> Encoder:
        if min(size_wh) < SMALLEST:
            size = f"{size_wh[0]}x{size_wh[1]} pixels, the least is {SMALLEST}x{SMALLEST}"
            raise SinkError(f"{self.target!r} would have {size}", hint="write .avi, or pictures")
        kind = Mp4 if _suffix(self.target) == ".mp4" else Mkv
        self._container = container = kind(self._file, choice.codec, size_wh, self._fps)
        return _encoders.open_encoder(choice, self._fps, size_wh, self._options, container.add)


def _chosen(target: str, options: VideoOptions) -> Optional[Choice]:
    """The encoder; None for JPEG in AVI."""
    load_cv2()
    if _suffix(target) != ".avi":
        return _encoders.choose(options)
    if options.encodes:
        raise UsageError(f"{target!r} has JPEG pictures, so {next(iter(options.encodes))} has no meaning for it",
                         hint="write .mp4 or .mkv, or leave it out")  # fmt: skip
    return None


def _suffix(target: str) -> str:
    return os.path.splitext(target)[1].lower()
