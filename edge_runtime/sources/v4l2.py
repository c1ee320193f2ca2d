"""USB and other V4L2 cameras. PyAV reads them, or OpenCV without it."""

from __future__ import annotations

import errno
import os
import re
import time
from functools import partial
from typing import Any, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SourceError, UsageError
from edge_runtime.imaging import pyav
from edge_runtime.jetson import board, video_nodes
from edge_runtime.libraries import causes
from edge_runtime.sources import Skipped, SourceOptions
from edge_runtime.sources._avcapture import AvCapture
from edge_runtime.sources._avopen import failures, open_camera
from edge_runtime.sources._opencv import CvCamera, closed_on_error
from edge_runtime.sources._pictures import Capture, frame_of
from edge_runtime.types import Frame

HANDLES = ("camera:", "v4l2://")
MAX_BROKEN = 10  # cheap cameras sometimes send a broken JPEG; with this many in a row, the camera was unplugged


def open(target: str, options: SourceOptions) -> CameraSource:
    """Opens a camera: `0`, `camera:0`, `/dev/video0`, `v4l2:///dev/video0` or `v4l2://0`.

    Raises:
        SourceError: there is no such camera, or it cannot be opened, or only Argus can open it.
        UsageError: the target has no camera number.
    """
    number = re.fullmatch(r"(?:camera:|v4l2://)?(?:/dev/video)?(\d+)", target)
    if number is None:
        raise UsageError(f"no camera number in {target!r}", hint="expected 0, /dev/video0 or v4l2://0")
    _check(f"/dev/video{number[1]}")
    return CameraSource(target, int(number[1]), options)


class CameraSource:
    """A camera, asked for MJPG. With uncompressed YUYV a USB 2 camera gives only 5 to 10 frames per second at 720p.

    Frames carry the pixels as they come: those of a JPEG, or YUYV. `description` has the format, size and rate that the
    driver chose.
    """

    live = True
    frame_count: Optional[int] = None

    def __init__(self, target: str, number: int, options: SourceOptions) -> None:
        self.name = target
        self.skipped: List[str] = Skipped()
        self._index, self._closed = 0, False
        self._capture: Capture = _camera(number, options)
        with closed_on_error(self._capture):
            if not self._capture.opened:
                why = f": {self._capture.error}" if self._capture.error else ""
                raise SourceError(
                    f"camera {number} cannot be opened{why}", hint=f"who has it? fuser -v /dev/video{number}"
                )
            self.fps = self._capture.fps
            width, height = _size(options)
            asked = f"asked for {width}x{height} MJPG at {_rate(options):g} fps"
            self.description = f"{self._capture.size} {self._capture.form} at {self.fps or 0:g} fps ({asked})"

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        """See `Source.read`."""
        for _ in range(MAX_BROKEN):
            picture = self._capture.read(buffer)
            if self._closed:
                return None
            self._pass_over(self._capture.lost if picture is not None else 1)
            if picture is not None:
                self._index += 1
                return frame_of(picture, buffer, self.name, self._index - 1, time.time())
            if self._capture.error:
                break
        self.close()
        raise SourceError(f"camera {self.name} stopped giving frames", hint="check the cable, and dmesg for USB errors")

    def close(self) -> None:
        """See `Source.close`."""
        self._closed = True
        self._capture.close()

    def _pass_over(self, lost: int) -> None:
        self.skipped += [f"frame {self._index + i}: nothing usable from the camera" for i in range(lost)]
        self._index += lost


def _camera(number: int, options: SourceOptions) -> Capture:
    if not pyav.preferred():
        return CvCamera(number, _size(options), _rate(options))
    return AvCapture(partial(_av_camera, f"/dev/video{number}", options), MAX_BROKEN)


def _av_camera(device: str, options: SourceOptions) -> Any:
    """The camera with JPEG pictures, else with YUYV, else with what its driver has."""
    for kind in ("mjpeg", "yuyv422"):
        try:
            return open_camera(device, kind, _size(options), _rate(options))
        except failures() as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.ENODEV, errno.EBUSY, errno.EACCES):
                raise
    return open_camera(device, None, _size(options), _rate(options))


def _size(options: SourceOptions) -> Tuple[int, int]:
    return options.size_wh or (1280, 720)


def _rate(options: SourceOptions) -> float:
    return options.fps or 30.0


def _check(device: str) -> None:
    video_nodes.refuse(device, board.root())
    if not os.path.exists(device):
        nodes = video_nodes.look(board.root())
        present = ", ".join(filter(None, (video_nodes.target(node, nodes) for node in nodes))) or "none"
        raise SourceError(f"no camera {device}", hint=f"cameras here: {present}; in a container pass --device {device}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise SourceError(f"no permission for {device}", hint=causes.GROUPS)
