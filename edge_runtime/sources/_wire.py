"""Reads messages from a connection. Each must be there in its time, also if every byte of it comes just in time."""

from __future__ import annotations

import socket
from io import BufferedReader
from time import monotonic
from typing import List, cast

BUFFER = 1 << 16
ENDED = "the camera ended the connection"


class Wire:
    """The reading end of a connection.

    Args:
        connection: with a timeout, which is for each piece.
        limit_s: for a message, from its first byte to its last piece but one.
        longest_line: most bytes of a line.
    """

    def __init__(self, connection: socket.socket, limit_s: float, longest_line: int) -> None:
        self._file = cast(BufferedReader, connection.makefile("rb", BUFFER))
        self._limit_s, self._longest_line = limit_s, longest_line
        self._until_s = float("inf")

    def begin(self) -> bytes:
        """The first byte of the next message; nothing at the end of the connection. Raises OSError."""
        first = self._file.read(1)
        self._until_s = monotonic() + self._limit_s
        return first

    def exactly(self, count: int) -> bytes:
        """So many bytes. Raises OSError: they do not come, or not in time."""
        parts: List[bytes] = []
        missing = count
        while missing:
            parts.append(self._file.read1(missing))
            missing -= len(parts[-1])
            self._check(parts[-1], missing)
        return b"".join(parts)

    def line(self) -> bytes:
        """The next line without its end. Raises OSError: it does not come, not in time, or is too long."""
        line = b""
        while not line.endswith(b"\n"):
            ahead = self._file.peek(1)
            self._check(ahead, 1)
            line += self._file.read(ahead.find(b"\n") + 1 or len(ahead))
            if len(line) > self._longest_line:
                raise OSError(0, "the camera's answer makes no sense")
        return line.rstrip(b"\r\n")

    def close(self) -> None:
        """Harmless when repeated."""
        self._file.close()

    def _check(self, piece: bytes, missing: int) -> None:
        if not piece:
            raise OSError(0, ENDED)
        if missing and monotonic() > self._until_s:
            raise TimeoutError
