"""A live stream or camera read by PyAV."""

from __future__ import annotations

import time
from dataclasses import replace
from time import monotonic
from typing import Any, Callable, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.imaging.pyav import failures
from edge_runtime.sources._avfacts import stated_fps
from edge_runtime.sources._avframe import pixels_of
from edge_runtime.sources._avlive import LiveReader
from edge_runtime.sources._avopen import NO_ANSWER, is_refusal, said
from edge_runtime.sources._web import WebStream
from edge_runtime.types.packets import PacketRing
from edge_runtime.types.pixels import Pixels

LIMIT_S = 5.0  # in which each picture must come
RAW = "rawvideo"
FORMS = {"mjpeg": "MJPG", "yuyv422": "YUYV"}  # of cameras
MOST_BROKEN = 250  # pictures in a row that cannot be decoded, after which the connection counts as lost


class AvCapture:
    """See `_pictures.Capture`.

    Args:
        open_container: opens the connection, and opens it again.
        patience: pictures in a row that may be broken.
        limit_s: seconds in which each picture must come.
        timed: whether the times of its pictures are those of the camera.
        ring: where to keep what is decoded.
        web: what `open_container` reads from, if that is a stream of ours.
    """

    ended = False

    def __init__(
        self,
        open_container: Callable[[], Any],
        patience: int = MOST_BROKEN,
        limit_s: float = LIMIT_S,
        timed: bool = False,
        ring: Optional[PacketRing] = None,
        web: Optional[WebStream] = None,
    ) -> None:
        self._open, self._patience, self._limit_s, self._timed = open_container, patience, limit_s, timed
        self._ring, self._web = ring, web
        self._reader: Optional[LiveReader] = None
        self._closed = self._raw = self.refused = False
        self.came_s, self.stamp_s = 0.0, None  # type: float, Optional[float]
        self.fps: Optional[float] = None
        self.error, self.size, self.form, self.lost = "", "0x0", "", 0
        self.reopen()

    @property
    def opened(self) -> bool:
        """See the protocol."""
        return self._reader is not None

    @property
    def slow(self) -> bool:
        """See the protocol."""
        return self.refused

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Pixels]:
        """See the protocol. It gives the decoder's planes; `buffer` is not needed.

        Pictures that are not coded are copied: they lie in memory of the driver, which is gone when the camera is
        closed.
        """
        reader = self._reader
        read = reader.read() if reader else None
        if reader is None or read is None:
            self.error = (reader.error or "the connection ended") if reader else self.error
            self.lost = reader.lost_at_the_end() if reader else 0
            return None
        (frame, self.lost), self.came_s = read, monotonic()
        stamp = reader.stamp(frame) if self._timed else None
        self.stamp_s = None if stamp is None else float(stamp * reader.stream.time_base)
        if self._ring is not None and frame.pts is not None:
            self._ring.sync(float(frame.pts * frame.time_base), time.time())
        self.size = f"{frame.width}x{frame.height}"
        pixels = pixels_of(frame)
        return replace(pixels, planes=tuple(map(np.array, pixels.planes))) if self._raw else pixels

    def reopen(self) -> None:
        """See the protocol."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        if self._closed:
            return
        began_s = monotonic()
        try:
            reader = LiveReader(self._open, self._limit_s, self._patience, self._web)
        except failures() as error:
            in_time = monotonic() - began_s < self._limit_s  # FFmpeg calls half an answer invalid data
            self.error, self.refused = said(error) if in_time else NO_ANSWER, is_refusal(error)
            return
        self.error, self.refused = "", False
        codec = reader.stream.codec_context
        self.fps, self.size = stated_fps(reader.stream), f"{codec.width}x{codec.height}"
        self._raw = codec.name == RAW
        kind = (codec.pix_fmt if self._raw else None) or codec.name
        self.form = FORMS.get(kind, kind)
        if self._ring is not None:
            reader.record(self._ring)
        self._reader = reader
        if self._closed:  # meanwhile, by another thread
            reader.close()

    def interrupt(self) -> None:
        """See the protocol."""
        self._closed = True
        reader = self._reader
        if reader is not None:
            reader.interrupt()
        if self._web is not None:
            self._web.interrupt()

    def close(self) -> None:
        """See the protocol. It waits for a running read, which ends at its timeout."""
        self._closed = True
        reader = self._reader
        if reader is not None:
            reader.close()
        if self._web is not None:
            self._web.close()
