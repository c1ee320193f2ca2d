"""SIGHUP of a run with a configuration: the end of its terminal ends it, and any other asks to read the file again."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Callable, Iterator


def ignored() -> bool:
    """Whether SIGHUP is ignored, as `nohup` does it: then the end of a terminal is not the end of the run."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@contextlib.contextmanager
def heard(ask: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` if SIGHUP comes because the terminal was closed, and else `ask`, until the block ends."""
    if threading.current_thread() is not threading.main_thread():  # signals cannot be set here
        yield
        return
    terminal = _has_terminal()

    def hang_up(*_: object) -> None:
        (stop if terminal and not _has_terminal() else ask)()

    before = signal.signal(signal.SIGHUP, hang_up)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before or signal.SIG_DFL)


def _has_terminal() -> bool:
    """Whether the process has a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError:
        return False
    return True
