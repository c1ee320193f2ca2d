"""A connection that is read in a thread of its own, so that nobody waits for one that hangs."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any, Callable, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources._pictures import Capture
from edge_runtime.types import Picture

ENDING_S = 0.5  # `close` waits so long for a call that is about to end


class Apart:
    """Runs the calls of a capture in a thread. `close` lets a waiting caller go at once.

    A call that FFmpeg does not end is left to the thread. The thread then closes the capture: after the time limit of
    that call at most. One caller at a time may read or connect.

    Args:
        make: opens a capture. Each `connect` closes the one before it, and makes a new one.
    """

    def __init__(self, make: Callable[[], Capture]) -> None:
        self._make, self._capture = make, None  # type: Any, Optional[Capture]
        self._calls: SimpleQueue[Optional[Callable[[], Any]]] = SimpleQueue()
        self._changed = threading.Condition()
        self._busy = self._closed = False
        self._answer: Any = None
        self._error: Optional[Exception] = None
        self._thread = threading.Thread(target=self._work, name="connection", daemon=True)

    @property
    def capture(self) -> Optional[Capture]:
        """The capture; None before it was made."""
        return self._capture

    def begin(self) -> None:
        """Begins to connect, and does not wait. `wait` then does."""
        self._ask(self._connect)

    def wait(self, timeout_s: Optional[float] = None) -> bool:
        """Whether the last call has ended, within the timeout."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy or self._closed, timeout_s)
            return not self._busy

    def take(self) -> Any:
        """Waits for the last call and gives its answer; None after `close`.

        Raises:
            EdgeError: see `connect`.
        """
        self.wait()
        with self._changed:
            answer, self._answer = self._answer, None
            error, self._error = self._error, None
            closed = self._closed
        if error is not None and not closed:
            raise error
        return None if closed else answer

    def connect(self) -> None:
        """Connects, or connects again. It does nothing after `close`.

        Raises:
            EdgeError: the capture makes no sense. One that cannot be reached is no error; see `Capture.opened`.
        """
        self._ask(self._connect)
        self.take()

    def read(self, buffer: Optional[NDArray[np.uint8]], quiet_s: float, quiet: Callable[[], None]) -> Optional[Picture]:
        """The next picture; None if there is none, and after `close`.

        Args:
            buffer: see `Capture.read`.
            quiet: called once if none comes in `quiet_s` seconds.
        """
        capture = self._capture
        if capture is None or not capture.opened or self._closed:
            return None
        self._ask(lambda: capture.read(buffer))
        if not self.wait(quiet_s) and not self._closed:
            quiet()
        picture: Optional[Picture] = self.take()
        return picture

    def close(self) -> None:
        """Lets the caller go, and closes the capture as soon as its running call has ended."""
        with self._changed:
            first, self._closed = not self._closed, True
            self._changed.notify_all()
        if not first or self._thread.ident is None:
            return
        if self._capture is not None:
            self._capture.interrupt()
        self._calls.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join(ENDING_S)

    def _connect(self) -> None:
        if self._capture is not None:
            self._capture.close()
        if not self._closed:
            self._capture = self._make()

    def _ask(self, call: Callable[[], Any]) -> None:
        with self._changed:
            if self._closed or self._busy:
                return
            self._busy = True
            if self._thread.ident is None:
                self._thread.start()
        self._calls.put(call)

    def _work(self) -> None:
        for call in iter(self._calls.get, None):
            self._run(call)
        if self._capture is not None:
            self._capture.close()

    def _run(self, call: Callable[[], Any]) -> None:
        answer, error = None, None
        try:
            answer = call()
        except Exception as caught:
            error = caught
        with self._changed:
            self._answer, self._error, self._busy = answer, error, False
            self._changed.notify_all()
