"""Signals for programs that tests start."""

from __future__ import annotations

import signal

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heed_signals() -> None:
    """For `preexec_fn`. What a background job or nohup starts ignores some signals, and so do its children."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_DFL)
