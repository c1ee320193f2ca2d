"""A live stream or camera read by PyAV."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources._avfacts import stated_fps
from edge_runtime.sources._avframe import pixels_of
from edge_runtime.sources._avopen import failures, said
from edge_runtime.sources._avreader import AvReader
from edge_runtime.types.pixels import Pixels

THREADS = 1  # each further one would keep a frame back
RAW = "rawvideo"
FORMS = {"mjpeg": "MJPG", "yuyv422": "YUYV"}  # of cameras
MOST_BROKEN = 250  # pictures in a row that cannot be decoded, after which the connection counts as lost


class AvCapture:
    """See `_pictures.Capture`.

    Args:
        open_container: opens the connection, and opens it again.
        patience: pictures in a row that may be broken.
    """

    def __init__(self, open_container: Callable[[], Any], patience: int = MOST_BROKEN) -> None:
        self._open, self._patience = open_container, patience
        self._reader: Optional[AvReader] = None
        self._closed = self._raw = False
        self.fps: Optional[float] = None
        self.error, self.size, self.form, self.lost = "", "0x0", "", 0
        self.reopen()

    @property
    def opened(self) -> bool:
        """See the protocol."""
        return self._reader is not None

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Pixels]:
        """See the protocol. It gives the decoder's planes; `buffer` is not needed.

        Pictures that are not coded are copied: they lie in memory of the driver, which is gone when the camera is
        closed.
        """
        read = self._reader.read() if self._reader else None
        if read is None:
            self.error = self._reader.error if self._reader else self.error
            return None
        frame, self.lost = read
        pixels = pixels_of(frame)
        return replace(pixels, planes=tuple(map(np.array, pixels.planes))) if self._raw else pixels

    def reopen(self) -> None:
        """See the protocol."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        if self._closed:
            return
        try:
            reader = AvReader(self._open, THREADS, self._patience)
        except failures() as error:
            self.error = said(error)
            return
        codec = reader.stream.codec_context
        self.fps, self.size = stated_fps(reader.stream), f"{codec.width}x{codec.height}"
        self._raw = codec.name == RAW
        kind = (codec.pix_fmt if self._raw else None) or codec.name
        self.form = FORMS.get(kind, kind)
        self._reader = reader
        if self._closed:  # meanwhile, by another thread
            reader.close()

    def close(self) -> None:
        """See the protocol. It waits for a running read, which ends at its timeout."""
        self._closed = True
        reader = self._reader
        if reader is not None:
            reader.close()
