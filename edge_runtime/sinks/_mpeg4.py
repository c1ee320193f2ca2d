"""Reads pictures of MPEG-4 part 2 (ISO/IEC 14496-2) as far as containers need it."""

from __future__ import annotations

PICTURE, GROUP = b"\0\0\1\xb6", b"\0\0\1\xb3"  # start codes


def is_key(packet: bytes) -> bool:
    """Whether a picture can be decoded without others."""
    at = packet.find(PICTURE) + len(PICTURE)
    return packet[at] >> 6 == 0


def config(packet: bytes) -> bytes:
    """The header that a decoder needs before the first picture. A key packet begins with it."""
    return packet[: min(at for at in (packet.find(GROUP), packet.find(PICTURE)) if at >= 0)]
