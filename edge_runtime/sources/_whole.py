"""Whether a video file was cut off, by its structure: a part of it says that it is longer than what is left.

Transport streams, mp4 and Matroska are looked at. A file that was cut off between two parts looks complete.
"""

from __future__ import annotations

import os
from typing import BinaryIO, Iterator, Optional, Tuple

SYNC = 0x47  # the first byte of each packet of a transport stream
LENGTHS = (188, 204)  # bytes of such a packet, without and with error correction
EBML, SEGMENT = b"\x1a\x45\xdf\xa3", 0x18538067
MOST_PARTS = 1 << 20


def cut_inside(path: str) -> str:
    """The part inside which a file ends, "a packet"; "" if it ends nowhere inside, or cannot be read."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(2 * LENGTHS[-1])
            if head.startswith(EBML):
                return "a cluster" if _matroska(file, size) else ""
            if head[4:8] == b"ftyp":
                return _cut_box(file, size)
            return "a packet" if _packets(file, head, size) else ""
    except OSError:  # a URL
        return ""


def counts_frames(path: str) -> bool:
    """Whether it is an mp4 that says how many frames it has. One in fragments does not."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            return file.read(8)[4:] == b"ftyp" and all(name != b"moof" for name, _ in _boxes(file, size))
    except OSError:  # a URL
        return False


def _packets(file: BinaryIO, head: bytes, size: int) -> bool:
    """Of a transport stream (ISO 13818-1). Something else may follow its last packet: cameras fill up with zeros."""
    length = next((n for n in LENGTHS if len(head) > n and head[0] == head[n] == SYNC), 0)
    if not length or not size % length:
        return False
    file.seek(size - size % length)
    return file.read(1)[0] == SYNC


def _cut_box(file: BinaryIO, size: int) -> str:
    """Of an mp4."""
    fragmented = False
    for name, end in _boxes(file, size):
        fragmented = fragmented or name == b"moof"
        if end > size and (fragmented or name == b"mdat"):
            return "a fragment" if fragmented else "its media data"
    return ""


def _boxes(file: BinaryIO, size: int) -> Iterator[Tuple[bytes, int]]:
    """The name and end of each box of an mp4 (ISO 14496-12).

    It begins with its length and name. After length 1 come 8 bytes of length; 0 is the rest.
    """
    place = 0
    for _ in range(MOST_PARTS):
        if place >= size:
            return
        file.seek(place)
        head = file.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        if length < 8 or not name.isalnum():
            return
        place += length
        yield name, place


def _matroska(file: BinaryIO, size: int) -> bool:
    """Of Matroska (RFC 8794, RFC 9559): elements of a number, a length and content. A length may be unknown."""
    place = 0
    for _ in range(MOST_PARTS):
        file.seek(place)
        number, length = _number(file, True), _number(file, False)
        if number is None or length is None:
            return number is not None and number != 0 and file.tell() >= size > place
        if number == SEGMENT and (length < 0 or file.tell() + length <= size):
            place = file.tell()  # look at what is inside
            continue
        if length < 0:
            return False
        place = file.tell() + length
        if place >= size:
            return place > size
    return False


def _number(file: BinaryIO, with_length: bool) -> Optional[int]:
    """A number of EBML, whose first byte says how long it is. -1 is an unknown length. None if it is not all there."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    raw = first + file.read(length - 1)
    if len(raw) < length:
        return None
    value = int.from_bytes(raw, "big")
    if with_length:
        return value
    value &= (1 << 7 * length) - 1
    return -1 if value == (1 << 7 * length) - 1 else value
