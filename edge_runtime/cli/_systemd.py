"""Tells systemd how a run goes: ready, alive, reloading, ending. Without systemd nothing is sent.

This is the protocol of sd_notify(3): datagrams to the socket in $NOTIFY_SOCKET. The unit is docker/systemd/.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Callable, Iterator, Optional, Type

from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.text.escape import printable

SEND_S = 1.0  # the longest wait for a supervisor that does not read
TOLD_S = 5.0  # from one status to the next
LONGEST = 1000  # characters of a status
PARTS = 4  # messages in the time after which the supervisor ends the process


def send(*lines: str) -> None:
    """Sends assignments such as "READY=1" in one message. What cannot be sent is dropped: it must not end the run."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    name = os.fsencode(address)
    target = b"\0" + name[1:] if name.startswith(b"@") else name  # @ stands for the first byte of an abstract name
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(SEND_S)
        sender.sendto("\n".join(lines).encode("utf-8", "replace"), target)


@contextmanager
def reloading() -> Iterator[None]:
    """Says that the configuration is read again, and at the end that it was."""
    send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
    try:
        yield
    finally:
        send("READY=1")


class Service:
    """A run as systemd sees it. It is ready when the engine is warm, and alive while detection goes on.

    A camera that is away does not end it: it is tried again. If the detecting thread hangs, no sign of life is sent any
    more, and systemd starts the process anew after WatchdogSec.

    Args:
        pipeline: the run.
        said: gives one line about it.
    """

    def __init__(self, pipeline: Pipeline, said: Callable[[], str]) -> None:
        self._pipeline, self._said = pipeline, said
        self._ready = False
        self._period_s = _watchdog_s() / PARTS
        self._alive_s = self._told_s = float("-inf")

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        send("STOPPING=1", f"STATUS={'ended' if error is None else _shown(str(error))}")

    def tell(self) -> None:
        """Sends what is due. Call it a few times a second."""
        if not self._pipeline.warm:
            return
        if not self._ready:
            self._ready = True
            send("READY=1")
        now_s = time.monotonic()
        stuck = self._pipeline.stuck
        if self._period_s and now_s - self._alive_s >= self._period_s and not stuck:
            self._alive_s = now_s
            send("WATCHDOG=1")
        if now_s - self._told_s >= TOLD_S:
            self._told_s = now_s
            send(f"STATUS={_shown(stuck or self._said())}")


def _watchdog_s() -> float:
    """The time of silence after which systemd ends this process; 0.0 if it waits for no sign of life."""
    of, wait = os.environ.get("WATCHDOG_PID", ""), os.environ.get("WATCHDOG_USEC", "")
    ours = not of or of == str(os.getpid())
    return int(wait) / 1e6 if ours and wait.isdecimal() else 0.0


def _shown(text: str) -> str:
    return printable(text)[:LONGEST]
