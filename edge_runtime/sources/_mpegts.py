"""MPEG transport streams. They have no index, so only their packets show that something is missing."""

from __future__ import annotations

import os

SYNC = 0x47  # the first byte of each packet
LENGTHS = (188, 204)  # bytes of a packet, without and with error correction


def ends_inside_a_packet(path: str) -> bool:
    """Whether a .ts file ends inside a packet, because it was cut off. False for other files.

    A file that was cut off between two packets looks complete.
    """
    try:
        with open(path, "rb") as file:
            head, size = file.read(2 * LENGTHS[-1]), os.fstat(file.fileno()).st_size
    except OSError:  # a URL
        return False
    length = next((n for n in LENGTHS if len(head) > n and head[0] == head[n] == SYNC), 0)
    return bool(length and size % length)
