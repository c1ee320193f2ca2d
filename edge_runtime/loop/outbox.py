"""Takes results out of the pipeline: through a bounded queue and a thread for each sink, or to a caller who iterates.

If a consumer is left behind, a thread that waits to put something goes on. So a hanging sink stops no other thread.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, Full, Queue
from time import perf_counter
from typing import Any, Callable, Dict, Iterator, Optional, Protocol, Tuple

from edge_runtime.loop.monitor import LatencyHistogram
from edge_runtime.loop.ring import Lease
from edge_runtime.sinks import Sink
from edge_runtime.types import Result

Item = Tuple[Lease, Result]


class Outbox(Protocol):
    """One consumer of results."""

    name: str
    left: bool
    broken: bool

    def start(self) -> None:
        """Starts the consumer."""

    def put(self, lease: Lease, result: Result) -> None:
        """Takes a result. If there is no place, it waits, or counts the result as dropped if the source is live."""

    def end(self) -> None:
        """Tells the consumer that no more results come."""

    def join(self) -> None:
        """Waits until everything is written and the sink is closed, or until the consumer is left behind."""

    def hangs(self, since_s: float, grace_s: float) -> bool:
        """Whether one call has lasted longer than `grace_s`. Time before `since_s` (`perf_counter`) does not count."""

    def leave(self) -> None:
        """Leaves the consumer behind: releases its waiting results, and nobody waits for it any more."""

    def summary(self) -> Dict[str, Any]:
        """Plain data for JSON."""


class _Queued:
    """A bounded queue of leased results. If it is full, a file waits, and a live source loses frames (counted)."""

    def __init__(self, name: str, depth: int) -> None:
        self.name, self.dropped, self.left, self.broken = name, 0, False, False
        self._queue: Queue[Optional[Item]] = Queue(depth)

    def put(self, lease: Lease, result: Result) -> None:
        if self.left:
            return
        lease.hold()
        try:
            self._queue.put((lease, result), block=not lease.live)
        except Full:
            self.dropped += 1
            lease.release()

    def end(self) -> None:
        self._queue.put(None)  # does not block for ever: `leave` makes room for this and a waiting result

    def leave(self) -> None:
        self.left, ended = True, False
        with suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                ended = ended or item is None
                if item:
                    item[0].release()
        if ended:  # the consumer may wait for it
            self.end()

    def summary(self) -> Dict[str, Any]:
        return {"dropped": self.dropped}


class SinkThread(_Queued):
    """Writes results to one sink in its own thread. Calls `fail` with its name and error, `stop` for a closed window.

    Attributes:
        broken: the sink failed and takes no more results.
    """

    def __init__(
        self, sink: Sink, depth: int, fail: Callable[[str, BaseException], None], stop: Callable[[], None]
    ) -> None:
        super().__init__(sink.target, depth)
        self._sink, self._fail, self._stop = sink, fail, stop
        self._time = LatencyHistogram()
        self._busy_since_s: Optional[float] = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"sink {sink.target}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        if self._thread.ident is None:  # it could not be started
            self._close()
            return
        self._ended.wait()
        if not self.left:
            self._thread.join()

    def hangs(self, since_s: float, grace_s: float) -> bool:
        busy_s = self._busy_since_s
        return not self.left and busy_s is not None and perf_counter() - max(busy_s, since_s) > grace_s

    def leave(self) -> None:
        super().leave()
        self._ended.set()

    def summary(self) -> Dict[str, Any]:
        return {"dropped": self.dropped, "ms": self._time.summary()}

    def _work(self) -> None:
        for lease, result in iter(self._queue.get, None):
            self._busy_since_s = started = perf_counter()
            self._attempt(self._sink.write, result)
            self._time.add((perf_counter() - started) * 1e3)
            lease.release()
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
                self._sink.close()
        self._attempt(self._sink.close)


class Reader(_Queued):
    """The consumer for a caller who iterates over a pipeline."""

    def __init__(self, depth: int) -> None:
        super().__init__("iteration", depth)

    def start(self) -> None:
        """Does nothing: the caller's thread reads."""

    def join(self) -> None:
        """Does nothing: results that the caller has not read are the caller's choice."""

    def hangs(self, since_s: float, grace_s: float) -> bool:
        """Always False: the caller may take any time."""
        return False

    def __iter__(self) -> Iterator[Item]:
        while not self.left:
            item = self._queue.get()
            if item is None:
                return
            yield item
