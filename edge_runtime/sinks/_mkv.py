"""Writes Matroska, so that the file plays at any moment."""

from __future__ import annotations

from struct import pack, unpack_from
from typing import Iterator, Tuple

from edge_runtime.files.growing import GrowingFile
from edge_runtime.sinks._packet import H264, Packet, ticks

UNKNOWN = (1 << 56) - 1  # length of an element that still grows
LONGEST_MS = 30_000  # longest cluster; a block's time in it has 16 bits
CLUSTER, CUES = 0x1F43B675, 0x1C53BB6B
HEAD_BYTES = 12  # bytes of a cluster's name and length


class Mkv:
    """Writes a cluster for each group of pictures. Each block is written at once, so a kill loses none.

    At the end, lengths, duration and an index of the clusters are written.

    Args:
        file: the file to write.
        codec: `H264` or `MPEG4`.
        size_wh: width and height in pixels.
        fps: nominal frames per second.
    """

    def __init__(self, file: GrowingFile, codec: str, size_wh: Tuple[int, int], fps: float) -> None:
        self._file, self._codec, self._size_wh, self._period_s = file, codec, size_wh, 1 / fps
        self._cluster_at = self._cluster_ms = 0
        self._segment_at = self._first_at = self._duration_at = 0
        self._last_ms = -1

    def add(self, packet: Packet) -> None:
        """See `Container.add`."""
        time_ms = ticks(packet.at_s, 1000, self._last_ms)
        begin = b"" if self._first_at else self._begin(packet)
        if begin or packet.key or time_ms - self._cluster_ms > LONGEST_MS:
            self._end_cluster()
            at, self._cluster_ms = self._file.size + len(begin), time_ms
            begin += _name(CLUSTER) + _length(UNKNOWN) + _element(0xE7, pack(">Q", time_ms))
        else:
            at = self._cluster_at
        block = pack(">BhB", 0x81, time_ms - self._cluster_ms, 0x80 if packet.key else 0)
        self._file.append(begin + _element(0xA3, block + packet.data))
        self._cluster_at, self._last_ms = at, time_ms

    def finish(self) -> None:
        """See `Container.finish`: writes what was not known before: lengths, duration and index."""
        self._end_cluster()
        at = self._file.size
        self._file.append(_element(CUES, b"".join(self._cues(at))))
        seek = _element(0x53AB, _name(CUES)) + _element(0x53AC, pack(">Q", at - self._segment_at))
        self._file.patch(self._segment_at, _element(0x114D9B74, _element(0x4DBB, seek)))
        self._file.patch(self._duration_at, _element(0x4489, pack(">d", self._last_ms + self._period_s * 1000)))
        self._file.patch(self._segment_at - 8, _length(self._file.size - self._segment_at, 8))

    def _begin(self, packet: Packet) -> bytes:
        """All bytes before the first cluster. Two voids keep room for the index's position and for the duration."""
        kind = _numbers((0x4286, 1), (0x42F7, 1), (0x42F2, 4), (0x42F3, 8)) + _element(0x4282, b"matroska")
        begin = _element(0x1A45DFA3, kind + _numbers((0x4287, 4), (0x4285, 2))) + _name(0x18538067) + _length(UNKNOWN)
        self._segment_at = len(begin)
        begin += _element(0xEC, bytes(24))
        application = _element(0x4D80, b"edge-runtime") + _element(0x5741, b"edge-runtime")
        information = _element(0x1549A966, _numbers((0x2AD7B1, 1_000_000)) + application + _element(0xEC, bytes(9)))
        self._duration_at = len(begin) + len(information) - 11
        begin += information + _element(0x1654AE6B, self._track(packet.config))
        self._first_at = len(begin)
        return begin

    def _track(self, config: bytes) -> bytes:
        width, height = self._size_wh
        name = b"V_MPEG4/ISO/AVC" if self._codec == H264 else b"V_MPEG4/ISO/ASP"
        about = _numbers((0xD7, 1), (0x73C5, 1), (0x83, 1), (0x9C, 0), (0x23E383, round(self._period_s * 1e9)))
        colour = _element(0x55B0, _numbers((0x55B1, 6), (0x55B9, 1)))  # BT.601, limited range
        picture = _element(0xE0, _numbers((0xB0, width), (0xBA, height)) + colour)
        return _element(0xAE, about + _element(0x86, name) + _element(0x63A2, config) + picture)

    def _end_cluster(self) -> None:
        if self._cluster_at:
            length = self._file.size - self._cluster_at - HEAD_BYTES
            self._file.patch(self._cluster_at + 4, _length(length, 8))

    def _cues(self, end: int) -> Iterator[bytes]:
        """Time and place of each cluster, read from the file itself."""
        at = self._first_at
        while at < end:
            length, time_ms = unpack_from(">Q2xQ", self._file.read(at + 4, 18))
            place = _numbers((0xF7, 1), (0xF1, at - self._segment_at))
            yield _element(0xBB, _numbers((0xB3, time_ms)) + _element(0xB7, place))
            at += HEAD_BYTES + (length & UNKNOWN)


def _name(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _length(length: int, width: int = 0) -> bytes:
    """A length in 1, 4 or 8 bytes. A bit says how many."""
    width = width or (1 if length < 127 else 4 if length < (1 << 28) - 1 else 8)
    return (length | 1 << 7 * width).to_bytes(width, "big")


def _element(number: int, body: bytes) -> bytes:
    return _name(number) + _length(len(body)) + body


def _numbers(*pairs: Tuple[int, int]) -> bytes:
    return b"".join(
        _element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")) for name, value in pairs
    )
