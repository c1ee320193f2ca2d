"""What the captures have in common: a picture is an image or the pixels of a decoder, and becomes a frame."""

from __future__ import annotations

from typing import Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.types import Frame, Picture
from edge_runtime.types.pixels import Pixels


class Capture(Protocol):
    """A device or connection that gives pictures. Another thread may close it.

    Attributes:
        opened: whether there is something to read from.
        error: why there is nothing to read, or nothing more; "" if unknown.
        fps: nominal frames per second; None if unknown.
        size: "1280x720".
        form: how the pictures are coded, "MJPG"; "" if unknown.
        lost: number of pictures before the last one that came and could not be decoded, or only in part.
        stamp_s: the time of the last picture on the clock of a live stream, seconds; None if there is no such clock.
        came_s: when the last picture came, by `monotonic()`.
        ended: whether it came to its own end, which is no failure.
        refused: whether it wants another user or password.
        slow: whether a new try may do harm, and must wait for minutes.
    """

    @property
    def opened(self) -> bool: ...
    @property
    def error(self) -> str: ...
    @property
    def fps(self) -> Optional[float]: ...
    @property
    def size(self) -> str: ...
    @property
    def form(self) -> str: ...
    @property
    def lost(self) -> int: ...
    @property
    def stamp_s(self) -> Optional[float]: ...
    @property
    def came_s(self) -> float: ...
    @property
    def ended(self) -> bool: ...
    @property
    def refused(self) -> bool: ...
    @property
    def slow(self) -> bool: ...

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Picture]:
        """The next picture; None if there is none, or none now. An image is in `buffer` if its shape fits."""

    def interrupt(self) -> None:
        """Asks a running call to end soon, and does not wait for it. `close` follows."""

    def close(self) -> None:
        """Releases device or connection. It may be called more than once."""


def frame_of(
    picture: Picture, buffer: Optional[NDArray[np.uint8]], source: str, index: int, timestamp_s: float
) -> Frame:
    """The picture as a frame. The image of pixels is made when somebody asks for it, in `buffer` if that fits."""
    if not isinstance(picture, Pixels):
        return Frame(picture, source, index, timestamp_s)
    frame = Frame(None, source, index, timestamp_s, pixels=picture)
    frame.lend(buffer)
    return frame
