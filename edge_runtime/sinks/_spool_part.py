"""One file of a spool: records one after another, each with its length and CRC-32."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from pathlib import Path
from typing import List, Optional, Tuple

HEAD = struct.Struct("<II")  # bytes of the record, CRC-32
SUFFIX = ".spool"
MOST = 1 << 30  # bytes of a file that is read


class Part:
    """A file with the records from number `first` on. It may be used by one thread at a time.

    Attributes:
        first: number of its first record, which is also its name.
        next: number after its last whole record.
        size: bytes of its whole records.
        mine: it was made by this process, so that records may be added.
    """

    def __init__(self, path: Path, fd: int, mine: bool) -> None:
        self.path, self.first, self.mine = path, int(path.stem), mine
        self.next, self.size = self.first, 0
        self._fd = fd
        self._place = (self.first, 0)  # a number and where its record begins

    @classmethod
    def create(cls, folder: Path, first: int) -> Part:
        """An empty file. Raises OSError."""
        path = folder / f"{first:020d}{SUFFIX}"
        return cls(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), True)

    def append(self, record: bytes) -> None:
        """Adds a record whole, or not at all. Raises OSError."""
        rest = memoryview(HEAD.pack(len(record), zlib.crc32(record)) + record)
        at = self.size
        try:
            while rest:
                written = os.pwrite(self._fd, rest, at)
                rest, at = rest[written:], at + written
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise
        self.size, self.next = at, self.next + 1

    def read(self, number: int) -> Optional[bytes]:
        """A record that is in it; None if the disk does not give it back as it was."""
        try:
            at = self._find(number)
            length, check = HEAD.unpack(os.pread(self._fd, HEAD.size, at))
            record = os.pread(self._fd, length, at + HEAD.size)
        except (OSError, struct.error):
            return None
        self._place = (number + 1, at + HEAD.size + length)
        return record if zlib.crc32(record) == check else None

    def _find(self, number: int) -> int:
        """Where a record begins. Reading goes on from the last place, unless it starts again."""
        at_number, at = self._place if self._place[0] <= number else (self.first, 0)
        while at_number < number:
            length, _ = HEAD.unpack(os.pread(self._fd, HEAD.size, at))
            at_number, at = at_number + 1, at + HEAD.size + length
        return at

    def count(self) -> bool:
        """Finds its records after a restart. Returns whether the last one was torn."""
        content = os.pread(self._fd, min(MOST, os.fstat(self._fd).st_size), 0)
        self.next, self.size = self.first, 0
        while self.size + HEAD.size <= len(content):
            length, check = HEAD.unpack_from(content, self.size)
            record = content[self.size + HEAD.size : self.size + HEAD.size + length]
            if len(record) < length or zlib.crc32(record) != check:
                break
            self.next, self.size = self.next + 1, self.size + HEAD.size + length
        return self.size < len(content)

    def duplicate(self) -> int:
        """Another descriptor of its file, which the caller closes."""
        return os.dup(self._fd)

    def remove(self) -> None:
        """Closes and deletes it."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def close(self) -> None:
        """Harmless when repeated."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def found(folder: Path) -> Tuple[List[Part], int]:
    """The files that an earlier run left, in order, and how many ended with a torn record. Raises OSError."""
    parts, torn = [], 0
    for path in sorted(folder.glob(f"{'[0-9]' * 20}{SUFFIX}")):
        part = Part(path, os.open(path, os.O_RDWR | os.O_CLOEXEC), False)
        torn += part.count()
        if part.size:
            parts.append(part)
        else:
            part.remove()
    return parts, torn
