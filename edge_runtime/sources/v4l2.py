"""USB and other V4L2 cameras. PyAV reads them, or OpenCV without it."""

from __future__ import annotations

import errno
import os
import re
from functools import partial
from typing import Any, Tuple

from edge_runtime.errors import SourceError, UsageError
from edge_runtime.imaging import pyav
from edge_runtime.imaging.pyav import failures
from edge_runtime.jetson import board, video_nodes
from edge_runtime.libraries import causes
from edge_runtime.sources import SourceOptions
from edge_runtime.sources._avcapture import AvCapture
from edge_runtime.sources._avopen import open_camera
from edge_runtime.sources._live import LiveSource
from edge_runtime.sources._opencv import MAX_BROKEN, CvCamera
from edge_runtime.sources._pictures import Capture

HANDLES = ("camera:", "v4l2://")


def open(target: str, options: SourceOptions) -> CameraSource:
    """Opens a camera: `0`, `camera:0`, `/dev/video0`, `v4l2:///dev/video0` or `v4l2://0`.

    Raises:
        SourceError: there is no such camera, or it cannot be opened, or only Argus can open it.
        UsageError: the target has no camera number.
    """
    number = re.fullmatch(r"(?:camera:|v4l2://)?(?:/dev/video)?(\d+)", target)
    if number is None:
        raise UsageError(f"no camera number in {target!r}", hint="expected 0, /dev/video0 or v4l2://0")
    device = f"/dev/video{number[1]}"
    video_nodes.refuse(device, board.root())
    if not options.wait:
        _check(device)
    return CameraSource(target, int(number[1]), options)


class CameraSource(LiveSource):
    """A camera, asked for MJPG. With uncompressed YUYV a USB 2 camera gives only 5 to 10 frames per second at 720p.

    Frames carry the pixels as they come: those of a JPEG, or YUYV. `description` has the format, size and rate that the
    driver chose.
    """

    def __init__(self, target: str, number: int, options: SourceOptions) -> None:
        width, height = _size(options)
        asked = f"(asked for {width}x{height} MJPG at {_rate(options):g} fps)"
        super().__init__(target, lambda: _camera(number, options), options, partial(_failure, number), asked)


def _failure(number: int, reason: str) -> SourceError:
    why = f": {reason}" if reason else ""
    return SourceError(f"camera {number} cannot be opened{why}", hint=f"who has it? fuser -v /dev/video{number}")


def _camera(number: int, options: SourceOptions) -> Capture:
    if not pyav.preferred():
        return CvCamera(number, _size(options), _rate(options))
    return AvCapture(partial(_av_camera, f"/dev/video{number}", options), MAX_BROKEN, ring=options.packets)


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
    if not os.path.exists(device):
        nodes = video_nodes.look(board.root())
        present = ", ".join(filter(None, (video_nodes.target(node, nodes) for node in nodes))) or "none"
        raise SourceError(f"no camera {device}", hint=f"cameras here: {present}; in a container pass --device {device}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise SourceError(f"no permission for {device}", hint=causes.GROUPS)
