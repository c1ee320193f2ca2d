"""What encoders hand to containers."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

H264, MPEG4 = "H.264", "MPEG-4"


class Packet(NamedTuple):
    """An encoded picture.

    Attributes:
        data: as a container keeps it. H.264 has a length in front of each of its units (ISO/IEC 14496-15).
        key: whether it can be decoded without others.
        config: of a key picture, what a decoder needs before it: a header of MPEG-4, an `avcC` of H.264.
        at_s: when it is shown, seconds since the first picture. It rises from picture to picture.
    """

    data: bytes
    key: bool
    config: bytes
    at_s: float


class Encoder(Protocol):
    """Encodes images of one size."""

    def write(self, image: NDArray[np.uint8], at_s: float) -> None:
        """Takes (H, W, 3) uint8 BGR, and the time at which it is shown, in seconds.

        Raises:
            SinkError: it cannot be encoded, or an earlier packet could not be taken.
        """

    def close(self) -> None:
        """Returns when every packet was taken. It may be called more than once.

        Raises:
            SinkError: one of them could not be taken.
        """


class Container(Protocol):
    """Writes packets into a file. Each is in the file at once, so a kill loses none."""

    def add(self, packet: Packet) -> None:
        """Appends a picture.

        Raises:
            SinkError: it could not be written.
        """

    def finish(self) -> None:
        """Writes what makes seeking fast.

        Raises:
            SinkError: it could not be written. The file plays without it.
        """


def ticks(at_s: float, per_s: float, last: int) -> int:
    """A time in ticks of a container, later than the last one."""
    return max(last + 1, round(at_s * per_s))
