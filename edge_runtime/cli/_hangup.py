"""SIGHUP of a run with a configuration: the end of its terminal ends it, and any other asks to read the file again."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Callable, Iterator, Sequence

_waiting = threading.Event()  # a SIGHUP came before the run could hear it


class Hearing:
    """A handler of SIGHUP, which `_signals.ending` leaves in its place.

    Args:
        ask: called if it asks to read the configuration again.
        stop: called if it comes because the terminal was closed.
    """

    def __init__(self, ask: Callable[[], None], stop: Callable[[], None]) -> None:
        self._ask, self._stop, self._terminal = ask, stop, _has_terminal()

    def __call__(self, *_: object) -> None:
        (self._stop if self._terminal and not _has_terminal() else self._ask)()


def ignored() -> bool:
    """Whether SIGHUP is ignored, as `nohup` does it: then the end of a terminal is not the end of the run."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@contextlib.contextmanager
def held_back(words: Sequence[str]) -> Iterator[None]:
    """Keeps SIGHUP waiting from here to `heard`, if the words of the command line name a configuration."""
    named = any(word.lstrip("-").partition("=")[0] == "config" for word in words)
    if not named or ignored() or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGHUP, Hearing(_waiting.set, lambda: signal.raise_signal(signal.SIGINT)))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before or signal.SIG_DFL)
        _waiting.clear()


@contextlib.contextmanager
def heard(ask: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` if SIGHUP comes because the terminal was closed, and else `ask`, until the block ends.

    `ask` is also called for a SIGHUP that was held back.
    """
    if threading.current_thread() is not threading.main_thread():  # signals cannot be set here
        yield
        return
    before = signal.signal(signal.SIGHUP, Hearing(ask, stop))
    if _waiting.is_set():
        _waiting.clear()
        ask()
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
