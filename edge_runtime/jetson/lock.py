"""Lets one process at a time read and set the power mode. The lock ends with its process, also after a kill."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

from edge_runtime.errors import BoardError

NO_RIGHT = "run it with sudo: it must save which mode to put back"
PATIENCE_S, AGAIN_S = 60.0, 0.05  # a switch takes 10 s to settle, and nvpmodel 15 s at most


@contextmanager
def locked(state: Path, ask: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Holds the lock. Waits while another process has it.

    Args:
        state: the file that the lock protects. The lock is on its folder, because the file is replaced.
        ask: called before each try. If it raises, the waiting ends.

    Raises:
        BoardError: the folder cannot be created, or another process keeps the lock too long.
    """
    ask()
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(state.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BoardError(f"{state} cannot be written: {error.strerror}", hint=NO_RIGHT) from error
    try:
        until_s = time.monotonic() + PATIENCE_S
        while not _taken(folder):
            ask()
            if time.monotonic() > until_s:
                raise BoardError("another process is setting a power mode", hint=f"who? fuser -v {state.parent}")
            time.sleep(AGAIN_S)
        yield
    finally:
        os.close(folder)


def _taken(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
