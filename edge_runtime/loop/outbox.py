"""Where results leave the pipeline: a bounded queue per sink with its thread, or a reader who iterates.

Whoever waits to put something is let go when the consumer is left behind: a sink that hangs stops nobody for ever.
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
        """Results may come."""

    def put(self, lease: Lease, result: Result) -> None:
        """Takes a result: waits for a place, or counts it as dropped where the source is live."""

    def end(self) -> None:
        """No more results come."""

    def join(self) -> None:
        """Waits until everything is written and the sink is closed, or it is left behind."""

    def hangs(self, since_s: float, grace_s: float) -> bool:
        """Whether it has been at one thing for `grace_s`, counted from `since_s` (`perf_counter`) at the earliest."""

    def leave(self) -> None:
        """Leaves it behind: what waits for it is released, and nobody waits for it any more."""

    def summary(self) -> Dict[str, Any]:
        """Plain data for JSON."""


class _Queued:
    """A bounded queue of leased results: full, it makes a file wait and a live source lose (counted) frames."""

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
        self._queue.put(None)  # a result that waits in `put` and this both have room once it is left behind

    def leave(self) -> None:
        self.left = True
        with suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                if item:
                    item[0].release()

    def summary(self) -> Dict[str, Any]:
        return {"dropped": self.dropped}


class SinkThread(_Queued):
    """Writes results to one sink in its own thread; `fail` hears its name and error, `stop` when a window is closed.

    Attributes:
        broken: it failed, and takes no results any more.
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
        """A sink that failed is closed too; what it says then is not a second failure."""
        if self.broken:
            with suppress(Exception):
                self._sink.close()
        self._attempt(self._sink.close)


class Reader(_Queued):
    """The caller who iterates over a pipeline."""

    def __init__(self, depth: int) -> None:
        super().__init__("iteration", depth)

    def start(self) -> None:
        """Nothing to start: the caller's thread reads."""

    def join(self) -> None:
        """Nothing to wait for: what the caller has not read is the caller's."""

    def hangs(self, since_s: float, grace_s: float) -> bool:
        """Never: the caller may take any time."""
        return False

    def __iter__(self) -> Iterator[Item]:
        while not self.left:
            item = self._queue.get()
            if item is None:
                return
            yield item
