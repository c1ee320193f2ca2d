"""Files that are written all or nothing."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import BinaryIO, Iterator

from edge_runtime.errors import EdgeError, UsageError

HINT = "check folder, rights and space"
LONGEST = 200  # bytes of a name that fit beside our own ending


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file all or nothing.

    Raises:
        UsageError: it cannot be written; what was there before is untouched.
    """
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` where the block ends well; else nothing has happened.

    A link stays a link: the file it leads to is replaced. Devices and pipes are written to as they are.

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
                os.fsync(file.fileno())
            os.replace(new, target)
        finally:
            with contextlib.suppress(OSError):
                new.unlink()


def check_writable(path: Path) -> None:
    """Refuses an output that could not be written, before long work is done for it; its folder may still be missing.

    Raises:
        UsageError: so it is.
    """
    folder = Path(os.path.realpath(path)).parent
    while not folder.exists():
        folder = folder.parent
    with said_of(path):
        if is_special(path):
            open(path, "ab").close()
        else:
            probe = temporary(folder / path.name)
            _fresh(probe).close()
            probe.unlink()


def is_special(path: Path) -> bool:
    """Whether it is a device or a pipe: something that is written to, and not replaced."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def temporary(path: Path) -> Path:
    """The name of what is not finished yet, beside the file that it becomes."""
    name = os.fsdecode(os.fsencode(path.name)[:LONGEST])
    return path.with_name(f".{name}.{os.getpid()}.new")


def _fresh(new: Path) -> BinaryIO:
    """A file with the rights that the user's umask leaves; one that a killed process of our number left is removed."""
    with contextlib.suppress(OSError):
        new.unlink()
    return open(new, "xb")


@contextlib.contextmanager
def said_of(path: Path) -> Iterator[None]:
    """Says of an output what the system says while it is written.

    Raises:
        UsageError: instead of an OSError.
    """
    try:
        yield
    except EdgeError:  # some are OSErrors too
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}", hint=HINT) from error
