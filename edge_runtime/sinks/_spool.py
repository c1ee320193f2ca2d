"""Keeps what must still be sent on a disk, in order and in bounded space: it survives outages, kills and restarts."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import zlib
from collections import deque
from pathlib import Path
from typing import Deque, Optional, Tuple

from edge_runtime.errors import SinkError
from edge_runtime.files.lock import locked
from edge_runtime.sinks._spool_part import Part, found

PARTS = 8  # files in which the limit is used up; the oldest file is dropped as a whole
HELD_BYTES = 4 << 20  # kept in memory while the disk takes nothing
MARK = struct.Struct("<QI")  # number of the first record that was not acknowledged, CRC-32


class Spool:
    """A queue of records on a disk. One thread appends, another reads and acknowledges.

    Each record has a number, which goes on after a restart. A record leaves only when it is acknowledged, or when there
    is no room: then the oldest records are dropped and counted. A record that a kill tore is recognised by its CRC and
    dropped. While the disk takes nothing, records stay in memory, in bounded space.

    Records reach the disk's cache at once, which survives a kill, and the disk itself with `sync`.

    Args:
        folder: where the files lie; it is made. Another run that uses it is refused.
        limit_bytes: the most that the files take.

    Attributes:
        next: number of the next record.
        lost: records that were dropped, because there was no room or because they could not be read.
        torn: files whose last record was not whole.
        trouble: why the disk takes nothing; "" if it does.

    Raises:
        SinkError: the folder cannot be made.
        UsageError: another run uses it.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder, self._limit, self._lock = folder, limit_bytes, threading.Lock()
        self._held: Deque[bytes] = deque()
        self._held_bytes = self.lost = 0
        self.trouble, self._dirty, self._closed = "", False, False
        self._open = contextlib.ExitStack()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._open.enter_context(locked(folder))
            self._parts, self.torn = found(folder)
        except OSError as error:
            self._open.close()
            raise SinkError(
                f"{folder} cannot keep what is to be sent: {error.strerror}", hint="give ?spool=DIR"
            ) from error
        self._begin()

    def _begin(self) -> None:
        """Finds the numbers to go on with, and counts what lies between two files and cannot be read."""
        self._done = max(self._read_mark(), self._parts[0].first if self._parts else 0)
        self.next = max([self._done, *(part.next for part in self._parts)])
        after = [part.first for part in self._parts[1:]]
        self.lost = sum(max(0, first - max(part.next, self._done)) for part, first in zip(self._parts, after))
        self._at = self._done
        self._forget_done()

    @property
    def waiting(self) -> int:
        """Records that are not acknowledged."""
        with self._lock:
            kept = sum(max(0, part.next - max(part.first, self._done)) for part in self._parts)
            return kept + len(self._held)

    def append(self, record: bytes) -> None:
        """Adds a record, on the disk or, while it takes nothing, in memory. After `close` it is lost, and counted."""
        with self._lock:
            if self._closed:
                self.lost += 1
                return
            self._held.append(record)
            self._held_bytes += len(record)
            self.next += 1
            while self._held and self._write(self.next - len(self._held), self._held[0]):
                self._held_bytes -= len(self._held.popleft())
            while self._held_bytes > HELD_BYTES:
                self._held_bytes -= len(self._held.popleft())
                self.lost += 1

    def read(self) -> Optional[Tuple[int, bytes]]:
        """The next record that was not read since `rewind`, with its number; None if there is none."""
        with self._lock:
            while self._at < self.next and not self._closed:
                number = self._at = self._nearest(self._at)
                record = self._record(number)
                self._at = number + 1
                if record is not None:
                    return number, record
                self.lost += 1
            return None

    def rewind(self) -> None:
        """The next `read` gives the first record that was not acknowledged."""
        with self._lock:
            self._at = self._done

    def acknowledge(self, number: int) -> None:
        """This record and those before it need not be kept."""
        with self._lock:
            if number < self._done or self._closed:
                return
            self._done = number + 1
            while self._held and self.next - len(self._held) < self._done:
                self._held_bytes -= len(self._held.popleft())
            self._write_mark()
            self._forget_done()

    def sync(self) -> None:
        """Waits until the disk has everything, so that it survives a power failure too. Nobody waits for this."""
        with self._lock:
            if not self._dirty or not self._parts or self._closed:
                return
            self._dirty, copy = False, self._parts[-1].duplicate()
        try:
            with contextlib.suppress(OSError):
                os.fdatasync(copy)
        finally:
            os.close(copy)

    def close(self) -> None:
        """Records in memory are lost, and counted. The others stay. It may be called more than once."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.lost += len(self._held)
            self._held.clear()
            if self._done >= self.next:
                self._remove(len(self._parts))
            for part in self._parts:
                part.close()
            self._open.close()

    def _write(self, number: int, record: bytes) -> bool:
        part = self._parts[-1] if self._parts else None
        try:
            if part is None or not part.mine or part.next != number or part.size + len(record) > self._limit // PARTS:
                part = self._new_part(number)
            self._make_room(len(record))
            part.append(record)
        except OSError as error:
            self.trouble = f"{self._folder} takes nothing: {error.strerror}"
            return False
        self.trouble, self._dirty = "", True
        return True

    def _new_part(self, number: int) -> Part:
        if self._parts and not self._parts[-1].size:  # nothing could be written into it
            self._parts.pop().remove()
        self._parts.append(Part.create(self._folder, number))
        return self._parts[-1]

    def _make_room(self, size: int) -> None:
        while len(self._parts) > 1 and sum(part.size for part in self._parts) + size > self._limit:
            oldest = self._parts[0]
            self.lost += max(0, oldest.next - max(oldest.first, self._done))
            self._remove(1)
            self._done = max(self._done, self._parts[0].first)

    def _nearest(self, number: int) -> int:
        """The number, or the next one that is still kept."""
        for part in self._parts:
            if number < part.next and part.first < part.next:  # not one into which nothing could be written
                return max(number, part.first)
        return max(number, self.next - len(self._held))

    def _record(self, number: int) -> Optional[bytes]:
        for part in self._parts:
            if part.first <= number < part.next:
                return part.read(number)
        return self._held[number - (self.next - len(self._held))]

    def _forget_done(self) -> None:
        """Removes files whose records are all acknowledged, but for the one that grows."""
        done = [part for part in self._parts if part.next <= self._done and not (part is self._parts[-1] and part.mine)]
        self._remove(len(done))

    def _remove(self, count: int) -> None:
        for part in self._parts[:count]:
            part.remove()
        del self._parts[:count]

    def _read_mark(self) -> int:
        """Also opens it. Without a whole one, what was sent before is sent again."""
        try:
            self._mark = os.open(self._folder / "acknowledged", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._open.callback(os.close, self._mark)
            number, check = MARK.unpack(os.pread(self._mark, MARK.size, 0).ljust(MARK.size, b"\0"))
        except OSError as error:
            self.trouble, self._mark = f"{self._folder} takes nothing: {error.strerror}", -1
            return 0
        return int(number) if check == _check(number) else 0

    def _write_mark(self) -> None:
        """It is written over, so it takes no more room. Without it records come again."""
        with contextlib.suppress(OSError):
            os.pwrite(self._mark, MARK.pack(self._done, _check(self._done)), 0)


def _check(number: int) -> int:
    return zlib.crc32(struct.pack("<Q", number))


def default_folder(name: str, key: str) -> Path:
    """A folder in the user's state folder, as XDG names it. Args: key: what differs from one spool to another."""
    stated = os.environ.get("XDG_STATE_HOME", "")
    top = stated if os.path.isabs(stated) else os.path.expanduser("~/.local/state")
    return Path(top, "edge-runtime", "spool", f"{name}-{zlib.crc32(key.encode('utf-8', 'surrogatepass')):08x}")
