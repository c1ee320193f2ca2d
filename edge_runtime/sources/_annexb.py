"""H.264 and H.265 of containers, with lengths in front of their units, as a stream with start codes (Annex B)."""

from __future__ import annotations

from typing import Iterator, Tuple

START = b"\0\0\0\1"  # before each unit


class Lengths:
    """The form of a stream whose units have lengths in front.

    Args:
        codec: "h264" or "hevc".
        about: its configuration record, avcC or hvcC.

    Attributes:
        sets: its parameter sets, with start codes.

    Raises:
        ValueError, IndexError: the record makes no sense.
    """

    def __init__(self, codec: str, about: bytes) -> None:
        self._size = 1 + (about[4 if codec == "h264" else 21] & 3)
        found = _of_avc(about) if codec == "h264" else _of_hevc(about)
        self.sets = b"".join(START + each for each in found)

    def with_starts(self, data: bytes) -> bytes:
        """A picture with start codes. Raises ValueError if its units are longer than it."""
        place, found = 0, []
        while place < len(data):
            unit, place = _unit(data, place, self._size)
            found.append(START + unit)
        return b"".join(found)


def _of_avc(about: bytes) -> Iterator[bytes]:
    place = 5
    for mask in (31, 255):  # parameter sets of the sequence, and of pictures
        count, place = about[place] & mask, place + 1
        for _ in range(count):
            unit, place = _unit(about, place, 2)
            yield unit


def _of_hevc(about: bytes) -> Iterator[bytes]:
    place = 23
    for _ in range(about[22]):
        count, place = about[place + 1] << 8 | about[place + 2], place + 3
        for _ in range(count):
            unit, place = _unit(about, place, 2)
            yield unit


def _unit(data: bytes, place: int, size: int) -> Tuple[bytes, int]:
    """The unit behind a length of so many bytes, and the place behind it."""
    begin = place + size
    end = begin + int.from_bytes(data[place:begin], "big")
    if end > len(data):
        raise ValueError("a unit is longer than what it is in")
    return data[begin:end], end
