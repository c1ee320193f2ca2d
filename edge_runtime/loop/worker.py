"""A thread that hands one thing after the other to a sink. If it hangs, it can be left behind."""

from __future__ import annotations

import threading
from contextlib import suppress
from itertools import count
from time import perf_counter
from typing import Any, Callable, Iterator, Optional

Fail = Callable[[str, BaseException], None]


class Worker:
    """The thread of a sink.

    Args:
        sink: has a `target`, and `closed` if its reader may end, like a window.
        fail: called with its name and error.
        stop: called when it was closed.
        close: closes the sink; see `closing`.

    Attributes:
        broken: the sink failed and takes no more.
        left: nobody waits for it any more.
    """

    def __init__(self, sink: Any, fail: Fail, stop: Callable[[], None], close: Callable[[], None]) -> None:
        self.name, self.left, self.broken = str(sink.target), False, False
        self._sink, self._fail, self._stop, self._close_sink = sink, fail, stop, close
        self._busy_since_s: Optional[float] = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"sink {sink.target}", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def join(self) -> None:
        """Waits until everything is written and the sink is closed, or until it is left behind."""
        if self._thread.ident is None:  # it could not be started
            self._close()
            return
        self._ended.wait()
        if not self.left:
            self._thread.join()

    def hangs(self, since_s: float, grace_s: float) -> bool:
        """See `Outbox.hangs`."""
        busy_s = self._busy_since_s
        return not self.left and busy_s is not None and perf_counter() - max(busy_s, since_s) > grace_s

    def leave(self) -> None:
        """See `Outbox.leave`."""
        self._ended.set()

    def _items(self) -> Iterator[Any]:
        """What comes, until the end."""
        raise NotImplementedError

    def _handle(self, item: Any) -> None:
        """Hands one thing to the sink."""
        raise NotImplementedError

    def _work(self) -> None:
        for item in self._items():
            self._busy_since_s = perf_counter()
            self._handle(item)
            del item
            self._busy_since_s = None
            if self.left:
                break
            if getattr(self._sink, "closed", False):
                self._stop()
        self._busy_since_s = perf_counter()
        self._close()
        self._busy_since_s = None
        self._ended.set()

    def _attempt(self, action: Callable[..., None], *arguments: Any) -> None:
        if self.broken:
            return
        try:
            action(*arguments)
        except Exception as error:
            self.broken = True
            self._fail(self.name, error)

    def _close(self) -> None:
        """Closes the sink, also after a failure. An error of this call is then not a second failure."""
        if self.broken:
            with suppress(Exception):
                self._close_sink()
        self._attempt(self._close_sink)


def closing(sink: Any, users: int) -> Callable[[], None]:
    """The `close` of a sink for its threads: a sink of frames and of events is closed by the last of the two."""
    calls = count(1)

    def close() -> None:
        if next(calls) >= users:
            sink.close()

    return close
