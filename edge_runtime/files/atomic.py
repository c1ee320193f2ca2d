"""Writes files completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Iterator

from edge_runtime.errors import EdgeError, UsageError

HINT = "check folder, rights and space"
LONGEST = 200  # bytes of a name, so that our own suffix still fits


def replace_file(path: Path, content: bytes, durable: bool = True, rights: bool = False) -> None:
    """Writes a file completely or not at all.

    Args:
        durable: see `replacing`.
        rights: the new file has the rights of the earlier one, and its owner if we may give it away.

    Raises:
        UsageError: it cannot be written. An earlier file stays as it was.
    """
    with replacing(path, durable) as file:
        if rights:
            _take_rights(path, file)
        file.write(content)


def _take_rights(path: Path, file: BinaryIO) -> None:
    earlier = os.stat(path)
    with contextlib.suppress(PermissionError):
        os.fchown(file.fileno(), earlier.st_uid, earlier.st_gid)
    os.fchmod(file.fileno(), stat.S_IMODE(earlier.st_mode))


@contextlib.contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[BinaryIO]:
    """A file to write. It replaces `path` if the block ends without an error. Otherwise nothing changes.

    A link stays a link: the file that it leads to is replaced. Devices and pipes are written directly.

    Args:
        durable: wait until the disk has it, so that it survives a power failure too. A file for each frame does not.

    Raises:
        UsageError: it cannot be written.
    """
    with said_of(path):
        if is_special(path):
            with open(path, "wb") as file:
                yield file
            return
        target = Path(os.path.realpath(path))
        new = temporary(target)
        try:
            with _fresh(new) as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            os.replace(new, target)
        finally:
            with contextlib.suppress(OSError):
                new.unlink()


def check_writable(path: Path) -> None:
    """Refuses an output that cannot be written, before long work is done for it. Its folder may still be missing.

    Raises:
        UsageError: it cannot be written.
    """
    folder = Path(os.path.realpath(path)).parent
    while not folder.exists():
        folder = folder.parent
    with said_of(path):
        if is_special(path):  # not opened: the reader of a pipe would take that for the end
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        else:
            probe = temporary(folder / path.name)
            _fresh(probe).close()
            probe.unlink()


def is_special(path: Path) -> bool:
    """Whether it is a device or a pipe. These are written directly and not replaced."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def temporary(path: Path) -> Path:
    """Name of the unfinished file, in the folder of the final file."""
    name = os.fsdecode(os.fsencode(path.name)[:LONGEST])
    return path.with_name(f".{name}.{os.getpid()}.new")


def _fresh(new: Path) -> BinaryIO:
    """Opens a new file with the rights of the user's umask. Removes what a killed process of our number left."""
    with contextlib.suppress(OSError):
        new.unlink()
    return open(new, "xb")


@contextlib.contextmanager
def said_of(path: Path) -> Iterator[None]:
    """Turns the system's errors while an output is written into our own.

    Raises:
        UsageError: the block raised an OSError.
    """
    try:
        yield
    except EdgeError:  # some of ours are OSErrors too
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}", hint=HINT) from error
