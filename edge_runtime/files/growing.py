"""Writes files that grow during a run."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Iterator

from edge_runtime.errors import SinkError
from edge_runtime.files.atomic import temporary
from edge_runtime.files.lock import locked

NOWHERE = "is the folder there, and may you write to it?"


class GrowingFile:
    """A file that grows piece by piece. Each piece is in the file at once and complete.

    Nothing changes before the first piece: if the start fails, an earlier file of that name stays as it was. The first
    piece replaces the earlier file in one step. A kill loses no piece. A piece that does not fit on the disk is removed
    again. The file has the rights of the user's umask. Another run that writes the same file is refused.

    Devices, named pipes and standard output are written directly.

    Args:
        target: path of the file, as the user gave it; "-" for standard output. If it is a link, the file that it leads
            to is written, and the link stays.

    Raises:
        SinkError: it cannot be written.
        UsageError: another run writes it.
    """

    def __init__(self, target: str) -> None:
        self._target, self._path = target, os.path.realpath(target)
        self._folder = os.path.dirname(self._path)
        self._fd, self.size, self._gone = -1, 0, False
        self._open = contextlib.ExitStack()
        self._stored = target != "-" and (not os.path.exists(self._path) or os.path.isfile(self._path))
        with self._said():
            if self._stored:
                self._check()
                self._open.enter_context(locked(target))
            else:
                self._take(os.dup(1) if target == "-" else os.open(self._path, os.O_WRONLY | os.O_CLOEXEC))

    def append(self, piece: bytes) -> None:
        """Adds a piece. The first piece begins the file.

        Raises:
            SinkError: it could not be written, or the file is not in its folder any more. The pieces before it are
                complete.
        """
        with self._said():
            if self._fd < 0:
                self._begin(piece)
            else:
                self._add(piece)
        self.size += len(piece)

    def patch(self, offset: int, content: bytes) -> None:
        """Writes over bytes that are in the file already.

        Raises:
            SinkError: it could not be written.
        """
        with self._said():
            os.pwrite(self._fd, content, offset)

    def read(self, offset: int, count: int) -> bytes:
        """Returns bytes that were written.

        Raises:
            SinkError: it could not be read.
        """
        with self._said():
            return os.pread(self._fd, count, offset)

    @property
    def begun(self) -> bool:
        """Whether the first piece was written."""
        return self.size > 0

    @property
    def free_bytes(self) -> int:
        """Free space on its disk, bytes.

        Raises:
            SinkError: its folder is gone.
        """
        with self._said():
            disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize

    def close(self) -> None:
        """Harmless when repeated.

        Raises:
            SinkError: the file is not in its folder any more, and no piece has said so yet.
        """
        with self._open:
            if self._fd >= 0 and not self._gone:
                self._check_there()
        self._fd = -1

    def _check(self) -> None:
        if not os.path.isdir(self._folder):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        if os.statvfs(self._folder).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if not os.access(self._path if os.path.exists(self._path) else self._folder, os.W_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    def _begin(self, piece: bytes) -> None:
        if not os.access(self._folder, os.W_OK):  # the user may write the file, but not its folder
            self._take(os.open(self._path, os.O_RDWR | os.O_TRUNC | os.O_CLOEXEC))
            self._add(piece)
            return
        new = temporary(Path(self._path))
        with contextlib.suppress(OSError):
            new.unlink()  # left by a killed process of our number
        self._take(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        try:
            self._add(piece)
            os.replace(new, self._path)
        except OSError:
            self._fd = -1
            with contextlib.suppress(OSError):
                new.unlink()
            raise

    def _take(self, fd: int) -> None:
        self._fd = fd
        self._open.callback(os.close, fd)

    def _add(self, piece: bytes) -> None:
        self._check_there()
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            if stat.S_ISREG(os.fstat(self._fd).st_mode):
                os.ftruncate(self._fd, os.lseek(self._fd, 0, os.SEEK_CUR) - (len(piece) - len(rest)))
            raise

    def _check_there(self) -> None:
        if self._stored and not os.fstat(self._fd).st_nlink:
            self._gone = True
            hint = "leave its folder in place while it runs; nothing more could be kept"
            raise SinkError(f"{self._target!r} was removed while it was written", hint=hint)

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except SinkError:
            raise
        except OSError as error:
            hint = "what was written before is whole" if self.begun else NOWHERE
            raise SinkError(f"{self._target!r} cannot be written: {error.strerror}", hint=hint) from error
