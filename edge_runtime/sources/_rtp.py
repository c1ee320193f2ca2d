"""Puts RTP packets together into coded pictures: H.264 (RFC 6184) and H.265 (RFC 7798)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, List, Optional

from edge_runtime.sources._annexb import START

MOST_BYTES = 16 << 20  # of one picture
MOST_AHEAD = 64 << 10  # of what comes before it with a time of its own
WRAP = 1 << 32
SHORT_HEAD = 12


@dataclass
class Coded:
    """One coded picture.

    Attributes:
        stamp: its time in ticks, which goes on where the 32 bits of RTP begin again.
        data: its units, with start codes.
        key: whether decoding can begin with it.
        whole: whether all its packets came.
    """

    stamp: int
    data: bytes
    key: bool
    whole: bool


class Depacketizer:
    """Takes packets in the order in which they come over TCP.

    Args:
        codec: "h264" or "hevc".
        payload: number of the packets to take.
    """

    def __init__(self, codec: str, payload: int) -> None:
        self._hevc, self._payload = codec == "hevc", payload
        self._units: List[bytes] = []
        self._size = 0
        self._stamp: Optional[int] = None
        self._next: Optional[int] = None
        self._sender: Optional[bytes] = None
        self._key = self._shown = False
        self._whole = True

    def push(self, packet: bytes) -> Iterator[Coded]:
        """Takes one packet, and gives the pictures that it completes."""
        if len(packet) < SHORT_HEAD or packet[0] >> 6 != 2:
            return
        ours = packet[1] & 0x7F == self._payload
        if packet[8:SHORT_HEAD] != self._sender:
            if not ours:  # it counts its packets by itself
                return
            self._begin(packet[8:SHORT_HEAD])
        number, stamp = _number(packet[2:4]), _number(packet[4:8])
        gap, self._next = self._next not in (None, number), (number + 1) & 0xFFFF
        self._whole = self._whole and not gap
        body = _body(packet)
        if body is None or not ours:
            return
        if self._stamp is None:
            self._stamp = stamp
        elif stamp != self._stamp % WRAP:
            yield from self._finished()  # its last packet did not say so, or was lost
            self._stamp += (stamp - self._stamp + WRAP // 2) % WRAP - WRAP // 2
            self._whole = not gap and (self._whole or not self._units)
        self._take(body)
        if packet[1] & 0x80:
            yield from self._finished()

    def _begin(self, sender: bytes) -> None:
        """Another sender, with numbers of its own: whether the last picture has its end is not known."""
        self._sender, self._next = sender, None
        self._whole = self._whole and not self._units

    def _finished(self) -> Iterator[Coded]:
        if self._units and not self._shown and self._size < MOST_AHEAD:
            return  # parameter sets and messages on their own belong to the next picture
        if self._units and self._stamp is not None:
            yield Coded(self._stamp, b"".join(self._units), self._key, self._whole)
        self._units, self._size, self._key, self._shown, self._whole = [], 0, False, False, True

    def _take(self, body: bytes) -> None:
        kind, head = self._kind(body[0]), 2 if self._hevc else 1
        if kind == (48 if self._hevc else 24):  # several units
            place = head
            while place + 2 < len(body):
                size = _number(body[place : place + 2])
                self._add(body[place + 2 : place + 2 + size])
                place += 2 + size
        elif kind == (49 if self._hevc else 28):  # a part of a unit
            self._add_part(body, head)
        else:
            self._add(body)

    def _add_part(self, body: bytes, head: int) -> None:
        if len(body) <= head:
            return
        flags, rest = body[head], body[head + 1 :]
        if not flags & 0x80:
            self._append(rest)
        elif self._hevc:
            self._add(bytes([(body[0] & 0x81) | (flags & 0x3F) << 1, body[1]]) + rest)
        else:
            self._add(bytes([(body[0] & 0xE0) | (flags & 0x1F)]) + rest)

    def _add(self, unit: bytes) -> None:
        if unit:
            self._key = self._key or self._is_key(unit)
            self._shown = self._shown or self._kind(unit[0]) in (range(32) if self._hevc else range(1, 6))
            self._append(START + unit)

    def _append(self, content: bytes) -> None:
        self._size += len(content)
        if self._size > MOST_BYTES:
            self._whole = False
        else:
            self._units.append(content)

    def _kind(self, first: int) -> int:
        return first >> 1 & 0x3F if self._hevc else first & 0x1F

    def _is_key(self, unit: bytes) -> bool:
        """IRAP of H.265; of H.264 IDR, and the message that says from where on all is well (recovery point)."""
        kind = self._kind(unit[0])
        return 16 <= kind <= 21 if self._hevc else kind == 5 or (kind == 6 and unit[1:2] == b"\x06")


def _body(packet: bytes) -> Optional[bytes]:
    """What a packet carries, without header, extension and padding; None if that is nothing."""
    begin = SHORT_HEAD + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        begin += 4 + 4 * _number(packet[begin + 2 : begin + 4])
    end = len(packet) - (packet[-1] if packet[0] & 0x20 else 0)
    return packet[begin:end] if begin < end else None


def _number(content: bytes) -> int:
    return int.from_bytes(content, "big")
