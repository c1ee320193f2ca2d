"""Network streams: RTSP, and MJPEG or video over HTTP. They reconnect. PyAV reads them, or OpenCV without it."""

from __future__ import annotations

import threading
import time
from typing import List, Optional, Union
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SourceError, UsageError
from edge_runtime.imaging import pyav
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.sources import Skipped, SourceOptions, image, video
from edge_runtime.sources._avcapture import AvCapture
from edge_runtime.sources._avopen import open_address
from edge_runtime.sources._cvvideo import CvVideoSource
from edge_runtime.sources._opencv import CvCapture, closed_on_error
from edge_runtime.sources._pictures import Capture, frame_of
from edge_runtime.sources.video import VideoSource
from edge_runtime.text.secrets import public
from edge_runtime.types import Frame

HANDLES = ("rtsp://", "rtsps://", "http://", "https://")
PRIORITY = 1  # before the suffixes of files: rtsp://camera/live.mp4 is a stream

TIMEOUT_MS = 5000  # time to wait for a connection, and for each frame
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 8.0
CHECK = "check address, user and password (in a password write / @ # as %2F %40 %23); try it in a player"
MAX_TRIES = 10  # tries one after the other, about a minute of waiting


def open(target: str, options: SourceOptions) -> Union[StreamSource, VideoSource, CvVideoSource]:
    """Opens a stream. An http(s) URL whose path ends like a video file is read as a file: not live, every frame.

    Raises:
        SourceError: the first connection fails, because a wrong address should not look like an outage. Or the address
            is a single picture, which FFmpeg would fetch again and again as a stream of 25 fps.
    """
    try:
        address = urlsplit(target)
    except ValueError as error:
        raise UsageError(f"{target} is no address: {error}", hint="expected rtsp://camera/stream") from error
    if address.scheme.startswith("http") and address.path.lower().endswith(image.SUFFIXES):
        raise SourceError(f"{public(target)} is one picture, not a stream", hint="download it, then give the file")
    if address.scheme.startswith("http") and address.path.lower().endswith(video.HANDLES):
        return video.open(target, options)
    return StreamSource(target)


def _ffmpeg(target: str) -> Capture:
    if pyav.preferred():
        return AvCapture(lambda: open_address(target, TIMEOUT_MS / 1000, live=True))
    cv2 = load_cv2()
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
    return CvCapture(target, cv2.CAP_FFMPEG, timeouts)


class StreamSource:
    """A live network stream. When it breaks, it connects again, with growing pauses.

    Attributes:
        state: "connected", "reconnecting, try 3" or "closed".
    """

    live = True
    frame_count: Optional[int] = None

    def __init__(self, target: str, capture: Optional[Capture] = None) -> None:
        """Args: capture: reads the stream instead of FFmpeg."""
        self.name = public(target)
        self.skipped: List[str] = Skipped()
        self._capture = capture or _ffmpeg(target)
        with closed_on_error(self._capture):
            if not self._capture.opened:
                why = f": {self._capture.error}" if self._capture.error else ""
                raise SourceError(f"no stream at {self.name}{why}", hint=CHECK)
            self.fps = self._capture.fps
            self.description = f"{self._capture.size} at {self.fps or 0:g} fps from {urlsplit(self.name).hostname}"
        self.state = "connected"
        self._index = self._tries = self.restarts = 0
        self._closing = threading.Event()

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        """See `Source.read`. Waits while the stream is away. The timestamp is the time at which the frame was received.

        Raises:
            SourceError: the stream did not come back.
        """
        while not self._closing.is_set():
            picture = self._capture.read(buffer)
            if picture is not None:
                self.restarts += self._tries > 0
                self.state, self._tries = "connected", 0
                self._index += 1
                return frame_of(picture, buffer, self.name, self._index - 1, time.time())
            self._reconnect()
        self.state = "closed"
        return None

    def close(self) -> None:
        """See `Source.close`. Ends a pause between two tries at once. A read or a connection ends at its timeout."""
        self._closing.set()
        self._capture.close()

    def _reconnect(self) -> None:
        """Makes one try. A frame, not just a connection, resets the count."""
        if self._tries == MAX_TRIES:
            self.close()
            raise SourceError(f"{self.name} did not come back in {MAX_TRIES} tries", hint="is the camera on?")
        self._tries += 1
        self.state = f"reconnecting, try {self._tries}"
        if not self._closing.wait(min(FIRST_WAIT_S * 2 ** (self._tries - 1), LONGEST_WAIT_S)):
            self._capture.reopen()
