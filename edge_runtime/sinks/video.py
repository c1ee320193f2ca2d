"""Annotated video through OpenCV, playable at any moment: also after a kill or on a full disk."""

from __future__ import annotations

import os
from typing import Any, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SinkError
from edge_runtime.imaging.drawing import annotated
from edge_runtime.imaging.opencv import fitted, load_cv2, quiet
from edge_runtime.sinks import SinkOptions
from edge_runtime.types import Result

FOURCC = {".mp4": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
HANDLES = tuple(FOURCC)
ONE_PICTURE = True
RESERVE_BYTES = 4 << 20  # left free on the disk, to finish the file in


def open(target: str, options: SinkOptions) -> VideoSink:
    """Opens a video file, replacing it: MPEG-4 in .mp4 and .mkv, motion JPEG in .avi.

    Raises:
        SinkError: it cannot be written to.
    """
    return VideoSink(target, options.fps)


class VideoSink:
    """A video of the first frame's size; frames of another size are scaled to fit, keeping their shape, on black.

    After a kill all but the last quarter of a megabyte plays. OpenCV hides write errors, so free space is looked at
    before each frame.
    """

    def __init__(self, target: str, fps: float) -> None:
        load_cv2()
        self.target, self._fps = target, fps
        self._writer: Any = None
        self._canvas: Optional[NDArray[np.uint8]] = None
        self._page: Optional[NDArray[np.uint8]] = None
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT))
        except OSError as error:
            hint = "is the folder there, and may you write to it?"
            raise SinkError(f"{target!r} cannot be written: {error.strerror}", hint=hint) from error

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        height, width = result.frame.image.shape[:2]
        self._check_space()
        if self._writer is None:
            self._writer = _writer(self.target, self._fps, (width, height))
            self._page = np.zeros((height, width, 3), np.uint8)
        self._canvas = annotated(result.frame.image, result.detections, self._canvas)
        assert self._page is not None
        same = self._canvas.shape == self._page.shape
        self._writer.write(self._canvas if same else fitted(self._canvas, self._page))

    def close(self) -> None:
        """See `Sink.close`. Without a single frame no file is left."""
        if self._writer is not None:
            self._writer.release()
        elif os.path.exists(self.target) and not os.path.getsize(self.target):
            os.unlink(self.target)

    def _check_space(self) -> None:
        disk = os.statvfs(self.target)
        if disk.f_bavail * disk.f_frsize < RESERVE_BYTES:
            raise SinkError(f"no space left for {self.target!r}", hint="what was written before plays; free some space")


def _writer(target: str, fps: float, size_wh: Tuple[int, int]) -> Any:
    """A started cv2.VideoWriter.

    An ordinary mp4 cannot be played before its index is written at the end, and OpenCV gives FFmpeg's muxer no options.
    But FFmpeg chooses the muxer by suffix, and .ismv is an mp4 in fragments: so it is opened as that, then renamed.
    """
    cv2 = load_cv2()
    suffix = os.path.splitext(target)[1].lower()
    api, path = (cv2.CAP_FFMPEG, f"{target}.ismv") if suffix == ".mp4" else (cv2.CAP_ANY, target)
    with quiet():
        writer = cv2.VideoWriter(path, api, cv2.VideoWriter_fourcc(*FOURCC[suffix]), fps, size_wh)
    if not writer.isOpened():
        size = f"{size_wh[0]}x{size_wh[1]} at {fps:g} fps"
        hint = "this OpenCV may lack FFmpeg: try .avi" if suffix != ".avi" else "try another size"
        raise SinkError(f"OpenCV cannot write {target!r}, {size}", hint=hint)
    if path != target:
        os.replace(path, target)
    return writer
