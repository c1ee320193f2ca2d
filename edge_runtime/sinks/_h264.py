"""Puts H.264 into the form of MP4 and Matroska: ISO/IEC 14496-15, section 5."""

from __future__ import annotations

from struct import pack
from typing import Iterator, List

START = b"\0\0\1"
SEQUENCE, PICTURE, DELIMITER = 7, 8, 9  # kinds of units that are left out of packets
PLAIN_PROFILES = (66, 77, 88)  # those whose configuration does not repeat the format of the pixels


def config(packet: bytes) -> bytes:
    """The `avcC` of a stream, from its first packet. It is empty if the packet has no parameter sets.

    Args:
        packet: units with start codes, of a picture that needs no others.
    """
    sequences, pictures = _of_kind(packet, SEQUENCE), _of_kind(packet, PICTURE)
    if not sequences or not pictures:
        return b""
    profile, level = sequences[0][3], sequences[0][3:6]
    sets = bytes([0xE0 | len(sequences)]), *sequences, bytes([len(pictures)]), *pictures
    pixels = b"" if profile in PLAIN_PROFILES else b"\xfd\xf8\xf8\0"  # 4:2:0 with 8 bits
    return b"\1" + level + b"\xff" + b"".join(sets) + pixels


def framed(packet: bytes) -> bytes:
    """A packet with lengths of 4 bytes instead of start codes, without what `config` has."""
    return b"".join(
        pack(">I", len(unit)) + unit for unit in units(packet) if unit[0] & 31 not in (SEQUENCE, PICTURE, DELIMITER)
    )


def units(packet: bytes) -> Iterator[bytes]:
    """The units between start codes. A unit never ends in a zero byte."""
    begin = packet.find(START) + len(START)
    while begin >= len(START):
        end = packet.find(START, begin)
        unit = packet[begin : end if end >= 0 else len(packet)].rstrip(b"\0")
        if unit:
            yield unit
        begin = end + len(START)


def _of_kind(packet: bytes, kind: int) -> List[bytes]:
    """The units of a kind, each with its length in front."""
    return [pack(">H", len(unit)) + unit for unit in units(packet) if unit[0] & 31 == kind]
