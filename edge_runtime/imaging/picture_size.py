"""Reads the number of pixels from the header of a picture file, before anything is decoded.

A few bytes can ask for gigabytes. OpenCV has its own limit, but it does not apply if other code loaded OpenCV first.
"""

from __future__ import annotations

import struct
from typing import Iterator, Optional, Tuple

Size = Tuple[int, int]
JPEG, PNG, BMP, GIF, RIFF = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF8", b"RIFF"
TIFF = {b"II*\0": "<", b"MM\0*": ">"}
START_OF_SCAN = 0xDA
ALONE = {0x01, *range(0xD0, 0xD9)}  # markers of a JPEG that no length follows
START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
WIDTH, HEIGHT = 256, 257  # tags of a TIFF


def stated(data: bytes) -> Size:
    """(width, height) in pixels from the header. (0, 0) if the format is not known here, or the header is cut."""
    try:
        return _stated(data)
    except struct.error:
        return 0, 0


def _stated(data: bytes) -> Size:
    if data.startswith(JPEG):
        return max(_frames(data), default=(0, 0), key=lambda size: size[0] * size[1])
    if data.startswith(PNG):
        return _unpacked(">II", data, 16)
    if data.startswith(BMP):
        width, height = _unpacked("<ii", data, 18)
        return abs(width), abs(height)
    if data.startswith(GIF):
        return _unpacked("<HH", data, 6)
    if data.startswith(RIFF) and data[8:12] == b"WEBP":
        return _webp(data)
    return _tiff(data, TIFF[data[:4]]) if data[:4] in TIFF else (0, 0)


def _webp(data: bytes) -> Size:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = _unpacked("<II", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = _unpacked("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _tiff(data: bytes, order: str) -> Size:
    """Size of the first picture in a TIFF."""
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    found = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        (found[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    return found.get(WIDTH, 0), found.get(HEIGHT, 0)


def _unpacked(form: str, data: bytes, at: int) -> Size:
    first, second = struct.unpack_from(form, data, at)
    return first, second


def _frames(data: bytes) -> Iterator[Size]:
    for marker, at in _segments(data):
        if marker in START_OF_FRAME and at + 9 <= len(data):
            height, width = _unpacked(">HH", data, at + 5)
            yield width, height


def first_scan(data: bytes) -> Optional[int]:
    """Where a JPEG's own data begins, after the thumbnail that its header may hold. None if there is none."""
    return next((at for marker, at in _segments(data) if marker in (None, START_OF_SCAN)), None)


def _segments(data: bytes) -> Iterator[Tuple[Optional[int], int]]:
    """Markers of a JPEG's header and their places, up to the first scan. None for bytes that are not a marker."""
    at = len(JPEG)
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF:
            yield None, at
            return
        if marker != 0xFF:  # fill
            yield marker, at
        if marker == START_OF_SCAN:
            return
        at += 1 if marker == 0xFF else 2 if marker in ALONE else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
