"""Signals that end a command: `kill`, and a terminal or ssh session that closes, do what Ctrl-C does."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import Callable, Iterator

ENDING = (signal.SIGTERM, signal.SIGHUP)


def _interrupt() -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def ending(action: Callable[[], None] = _interrupt) -> Iterator[None]:
    """Calls `action` once, when one of the two comes meanwhile; as a rule that is a KeyboardInterrupt.

    What is ignored from the start stays so: `nohup`. Further ones are ignored: of a session that closes, shell and
    kernel tell both, and the second must not break what the first has begun to finish.
    """
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be set
        yield
        return

    def end(*_: object) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        action()

    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
