"""Signals that end a command. `kill`, and the end of a terminal or ssh session, do the same as Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import Callable, Iterator

from edge_runtime.cli._hangup import Hearing

ENDING = (signal.SIGTERM, signal.SIGHUP)


def _interrupt() -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def ending(action: Callable[[], None] = _interrupt) -> Iterator[None]:
    """Calls `action` once if one of the signals comes meanwhile. By default it raises KeyboardInterrupt.

    A signal that is ignored at the start stays ignored, for `nohup`. Later signals are ignored too. If a session
    closes, both shell and kernel send one, and the second must not stop the clean end that the first began.
    A run with a configuration hears SIGHUP itself.
    """
    if threading.current_thread() is not threading.main_thread():  # signals cannot be set here
        yield
        return

    def end(*_: object) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        action()

    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN and not isinstance(handler, Hearing):
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interrupting(action: Callable[[], None]) -> Iterator[None]:
    """Calls `action` at Ctrl-C, before KeyboardInterrupt is raised. A second Ctrl-C only raises.

    Python loses an exception that is raised in a callback of a library or in `__del__`. The run must end all the same.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        action()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
