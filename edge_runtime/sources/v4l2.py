"""USB and other V4L2 cameras, read with OpenCV."""

from __future__ import annotations

import os
import re
import time
from typing import List, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SourceError, UsageError
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.jetson import board, video_nodes
from edge_runtime.libraries import causes
from edge_runtime.sources import Skipped, SourceOptions
from edge_runtime.sources._opencv import Capture, closed_on_error
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

    `description` has the format, size and rate that the driver chose.
    """

    live = True
    frame_count: Optional[int] = None

    def __init__(self, target: str, number: int, options: SourceOptions) -> None:
        self.name = target
        self.skipped: List[str] = Skipped()
        self._index, self._closed = 0, False
        self._capture = Capture(number, load_cv2().CAP_V4L2)
        with closed_on_error(self._capture):
            if not self._capture.opened:
                raise SourceError(f"camera {number} cannot be opened", hint=f"who has it? fuser -v /dev/video{number}")
            self._negotiate(options)

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        """See `Source.read`."""
        for _ in range(MAX_BROKEN):
            image = self._capture.read(buffer)
            if self._closed:
                return None
            self._index += 1
            if image is not None:
                return Frame(image, self.name, self._index - 1, time.time())
            self.skipped.append(f"frame {self._index - 1}: nothing usable from the camera")
        self.close()
        raise SourceError(f"camera {self.name} stopped giving frames", hint="check the cable, and dmesg for USB errors")

    def close(self) -> None:
        """See `Source.close`."""
        self._closed = True
        self._capture.close()

    def _negotiate(self, options: SourceOptions) -> None:
        cv2 = load_cv2()
        width, height = options.size_wh or (1280, 720)
        mjpg = cv2.VideoWriter_fourcc(*"MJPG")
        self._capture.set(cv2.CAP_PROP_FOURCC, mjpg)  # the format comes first, because sizes and rates depend on it
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        self._capture.set(cv2.CAP_PROP_FPS, options.fps or 30)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.fps = self._capture.fps
        fourcc = (int(self._capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF).to_bytes(4, "little").decode("latin1")
        asked = f"asked for {width}x{height} MJPG at {options.fps or 30:g} fps"
        self.description = f"{self._capture.size} {fourcc.strip()} at {self.fps or 0:g} fps ({asked})"


def _check(device: str) -> None:
    video_nodes.refuse(device, board.root())
    if not os.path.exists(device):
        nodes = video_nodes.look(board.root())
        present = ", ".join(filter(None, (video_nodes.target(node, nodes) for node in nodes))) or "none"
        raise SourceError(f"no camera {device}", hint=f"cameras here: {present}; in a container pass --device {device}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise SourceError(f"no permission for {device}", hint=causes.GROUPS)
