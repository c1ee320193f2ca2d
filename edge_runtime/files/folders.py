"""Folders that are filled completely before they appear under their name."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Iterator

from edge_runtime.errors import UsageError
from edge_runtime.files.atomic import LONGEST, said_of, temporary


@contextlib.contextmanager
def replacing_folder(path: Path, ours: str) -> Iterator[Path]:
    """An empty folder to fill. It replaces `path` if the block ends without an error. Otherwise nothing changes.

    Args:
        path: the folder, which is of an earlier run or does not exist.
        ours: pattern of the names that an earlier run gave. A folder with other names in it is not replaced.

    Raises:
        UsageError: it holds other files, or cannot be written.
    """
    target = Path(os.path.realpath(path))
    new = temporary(target)
    with said_of(path):
        _recover(target)
        _check_ours(path, ours)
        new.mkdir()
    try:
        yield new
        with said_of(path):
            _swap(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _recover(target: Path) -> None:
    """Puts back a folder that a killed run had moved away, and removes what it left. The caller holds the lock."""
    name = temporary(target).name.rsplit(".", 2)[0]
    left = re.compile(rf"{re.escape(name)}\.\d+\.new(\.old)?")
    for found in target.parent.glob(".*.new*"):
        match = left.fullmatch(found.name)
        if match and match[1] and not target.exists():
            os.rename(found, target)
        elif match:
            shutil.rmtree(found, ignore_errors=True)


def _check_ours(path: Path, ours: str) -> None:
    names = sorted(os.listdir(path)) if path.is_dir() else []
    other = next((name for name in names if not re.fullmatch(ours, name)), None)
    if other is not None:
        fact = f"{path} holds {other!r}, which no earlier run has made"
        raise UsageError(fact, hint="move it away, or give another name with -o: the folder would be replaced")


def _swap(new: Path, target: Path) -> None:
    """Removes the old folder only after the new one has its place."""
    old = target.with_name(f"{new.name}.old")
    if target.is_dir():
        os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        if old.is_dir():
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """A folder beside a file, for data that the file is made from. It is removed at the end.

    A folder that a killed run left is removed here. A folder in use has a lock, which ends with its process.

    Raises:
        UsageError: nothing can be written there.
    """
    target = Path(os.path.realpath(path))
    prefix = f".{os.fsdecode(os.fsencode(target.name)[:LONGEST])}.building-"
    for left in target.parent.glob(f"{prefix}*") if target.parent.is_dir() else ():
        _remove_left(left)
    with said_of(target.parent):
        made = tempfile.mkdtemp(prefix=prefix, dir=target.parent)
    try:
        with _held(made):
            yield Path(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: str) -> Iterator[None]:
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(number)


def _remove_left(folder: Path) -> None:
    with contextlib.suppress(OSError), _held(str(folder)):
        shutil.rmtree(folder, ignore_errors=True)
