"""Writes AVI with JPEG pictures, so that the file plays at any moment."""

from __future__ import annotations

from fractions import Fraction
from struct import pack, unpack
from typing import Iterator, Tuple

from edge_runtime.files.growing import GrowingFile
from edge_runtime.sinks._packet import Packet

RIFF_BYTES = 1 << 30  # largest part of a file; many players cannot read larger parts
RIFF_AT, FLAGS_AT, FRAMES_AT, LENGTH_AT, BEGIN_BYTES = 4, 44, 48, 140, 224
HAS_INDEX, EMPTY = 0x10, pack("<4sI", b"00dc", 0)
LATE_S, LATE_PICTURES = 0.5, 5  # how far pictures may lag behind their time


class Avi:
    """Writes each picture at once and then corrects the lengths in the header, so a kill loses no picture.

    AVI has a constant rate. So a picture is followed by empty ones until the next is due: players go on showing it. A
    picture that comes faster than the rate is put in the next place. It is left out if it would then lag behind its
    time by more than half a second and five pictures.

    An index is added at the end. Data beyond 1 GiB goes to further parts of the same file, as in OpenDML, without an
    index.

    Args:
        file: the file to write.
        size_wh: width and height in pixels.
        fps: nominal frames per second.
    """

    def __init__(self, file: GrowingFile, size_wh: Tuple[int, int], fps: float) -> None:
        self._file, self._size_wh = file, size_wh
        self._fps = Fraction(fps).limit_denominator(1001)
        self._riff_at, self._movie_at = 0, BEGIN_BYTES - 12
        self._count = 0

    def add(self, packet: Packet) -> None:
        """See `Container.add`."""
        due = round(packet.at_s * self._fps)
        if self._count - due > max(LATE_PICTURES, LATE_S * self._fps):
            return
        begin = b"" if self._count else self._begin()
        if self._file.size - self._riff_at > RIFF_BYTES:
            begin = self._next_part()
        empty, data = EMPTY * max(0, due - self._count), packet.data
        self._file.append(begin + empty + pack("<4sI", b"00dc", len(data)) + data + bytes(len(data) & 1))
        self._count = max(self._count, due) + 1
        self._fill_in()

    def finish(self) -> None:
        """See `Container.finish`: adds the index."""
        if self._riff_at:
            return
        entries = b"".join(self._entries())
        self._file.append(pack("<4sI", b"idx1", len(entries)) + entries)
        self._file.patch(RIFF_AT, pack("<I", self._file.size - 8))
        self._file.patch(FLAGS_AT, pack("<I", HAS_INDEX))

    def _begin(self) -> bytes:
        (width, height), scale, rate = self._size_wh, self._fps.denominator, self._fps.numerator
        about = pack("<14I", round(1_000_000 / self._fps), 0, 0, 0, 0, 0, 1, 0, width, height, 0, 0, 0, 0)
        stream = pack("<4s4sI2H8I4H", b"vids", b"MJPG", 0, 0, 0, 0, scale, rate, 0, 0, 0, 0xFFFFFFFF, 0, 0, 0,
                      width, height)  # fmt: skip
        picture = pack("<3I2H4s5I", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
        track = _list(b"strl", _chunk(b"strh", stream) + _chunk(b"strf", picture))
        header = _list(b"hdrl", _chunk(b"avih", about) + track)
        return pack("<4sI4s", b"RIFF", 0, b"AVI ") + header + _list(b"movi", b"")

    def _next_part(self) -> bytes:
        self.finish()
        self._riff_at, self._movie_at = self._file.size, self._file.size + 12
        return pack("<4sI4s", b"RIFF", 0, b"AVIX") + _list(b"movi", b"")

    def _fill_in(self) -> None:
        self._file.patch(self._movie_at + 4, pack("<I", self._file.size - self._movie_at - 8))
        self._file.patch(self._riff_at + 4, pack("<I", self._file.size - self._riff_at - 8))
        self._file.patch(LENGTH_AT, pack("<I", self._count))
        if not self._riff_at:
            self._file.patch(FRAMES_AT, pack("<I", self._count))

    def _entries(self) -> Iterator[bytes]:
        """Length and place of each picture, read from the file itself."""
        at, end = BEGIN_BYTES, self._file.size
        while at < end:
            (length,) = unpack("<I", self._file.read(at + 4, 4))
            flags = HAS_INDEX if length else 0  # also a flag: playing can begin here
            yield pack("<4s3I", b"00dc", flags, at - BEGIN_BYTES + 4, length)
            at += 8 + length + (length & 1)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return pack("<4sI", kind, len(body)) + body


def _list(kind: bytes, body: bytes) -> bytes:
    return pack("<4sI4s", b"LIST", 4 + len(body), kind) + body
