"""Takes results out of the pipeline: through a bounded queue and a thread for each sink, or to a caller who iterates.

If a consumer is left behind, a thread that waits to put something goes on. So a hanging sink stops no other thread.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from queue import Empty, Full, Queue
from time import perf_counter
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, Optional, Protocol, Tuple

from edge_runtime.loop.monitor import LatencyHistogram
from edge_runtime.loop.ring import Lease
from edge_runtime.loop.worker import Fail, Worker
from edge_runtime.sinks import Sink, admit
from edge_runtime.types import Result

Item = Tuple[Lease, Result]


class Outbox(Protocol):
    """One consumer of results.

    Attributes:
        holds: the most frames that it keeps from being used again.
    """

    name: str
    holds: int
    left: bool
    broken: bool

    def start(self) -> None:
        """Starts the consumer."""

    def put(self, lease: Lease, result: Result) -> None:
        """Takes a result. If there is no place, it waits, or counts the result as dropped if the source is live."""

    def admit(self, source: str, rate: float) -> None:
        """Tells the consumer of a source that was added, before its first result. It does not wait."""

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
        self.holds = depth + 1
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


class SinkThread(_Queued, Worker):
    """Writes results to one sink in its own thread. Args: see `Worker`; depth: results that may wait."""

    def __init__(self, sink: Sink, depth: int, fail: Fail, stop: Callable[[], None], close: Callable[[], None]) -> None:
        _Queued.__init__(self, sink.target, depth)
        Worker.__init__(self, sink, fail, stop, close)
        self._time = LatencyHistogram()
        self._added: Deque[Tuple[str, float]] = deque()

    def admit(self, source: str, rate: float) -> None:
        self._added.append((source, rate))

    def leave(self) -> None:
        _Queued.leave(self)
        Worker.leave(self)

    def summary(self) -> Dict[str, Any]:
        return {"dropped": self.dropped, "ms": self._time.summary()}

    def _items(self) -> Iterator[Item]:
        return iter(self._queue.get, None)

    def _handle(self, item: Item) -> None:
        lease, result = item
        started = perf_counter()
        self._attempt(self._write, result)
        self._time.add((perf_counter() - started) * 1e3)
        lease.release()

    def _write(self, result: Result) -> None:
        while self._added:
            admit(self._sink, *self._added.popleft())
        self._sink.write(result)


class Reader(_Queued):
    """The consumer for a caller who iterates over a pipeline.

    Attributes:
        awaited: the run waits until the caller takes a result.
    """

    def __init__(self, depth: int) -> None:
        super().__init__("iteration", depth)
        self.awaited = False

    def put(self, lease: Lease, result: Result) -> None:
        """See `Outbox.put`."""
        self.awaited = True
        super().put(lease, result)
        self.awaited = False

    def start(self) -> None:
        """Does nothing: the caller's thread reads."""

    def admit(self, source: str, rate: float) -> None:
        """Does nothing: the caller added it."""

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


def summaries(boxes: Iterable[Outbox]) -> Dict[str, Dict[str, Any]]:
    """Plain data of each consumer, by its name. A sink that takes frames and events has both."""
    found: Dict[str, Dict[str, Any]] = {}
    for box in boxes:
        found.setdefault(box.name, {}).update(box.summary())
    return found
