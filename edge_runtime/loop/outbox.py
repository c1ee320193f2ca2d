"""Where results leave the pipeline: a bounded queue per sink with its thread, or a reader who iterates."""

from __future__ import annotations

import threading
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

    def start(self) -> None: ...

    def put(self, lease: Lease, result: Result) -> None: ...

    def end(self) -> None: ...

    def summary(self) -> Dict[str, Any]: ...


class _Queued:
    """A bounded queue of leased results: full, it makes a file wait and a live source lose (counted) frames."""

    def __init__(self, name: str, depth: int) -> None:
        self.name, self.dropped = name, 0
        self._queue: Queue[Optional[Item]] = Queue(depth)

    def put(self, lease: Lease, result: Result) -> None:
        lease.hold()
        try:
            self._queue.put((lease, result), block=not lease.live)
        except Full:
            self.dropped += 1
            lease.release()

    def summary(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        return {"dropped": self.dropped}


class SinkThread(_Queued):
    """Writes results to one sink in its own thread; `fail` hears of the first error, `stop` when a window is closed."""

    def __init__(self, sink: Sink, depth: int, fail: Callable[[BaseException], None], stop: Callable[[], None]) -> None:
        super().__init__(sink.target, depth)
        self._sink, self._fail, self._stop = sink, fail, stop
        self._broken = False
        self._time = LatencyHistogram()
        self._thread = threading.Thread(target=self._work, name=f"sink {sink.target}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Waits until everything is written and the sink is closed."""
        self._queue.put(None)
        self._thread.join()

    def summary(self) -> Dict[str, Any]:
        return {"dropped": self.dropped, "ms": self._time.summary()}

    def _work(self) -> None:
        for lease, result in iter(self._queue.get, None):
            started = perf_counter()
            self._attempt(self._sink.write, result)
            self._time.add((perf_counter() - started) * 1e3)
            lease.release()
            if getattr(self._sink, "closed", False):
                self._stop()
        self._broken = False  # a sink that failed to write is still closed
        self._attempt(self._sink.close)

    def _attempt(self, action: Callable[..., None], *arguments: Any) -> None:
        if self._broken:
            return
        try:
            action(*arguments)
        except Exception as error:
            self._broken = True
            self._fail(error)


class Reader(_Queued):
    """The caller who iterates over a pipeline."""

    def __init__(self, depth: int) -> None:
        super().__init__("iteration", depth)
        self._abandoned = False

    def start(self) -> None:
        """Nothing to start: the caller's thread reads."""

    def put(self, lease: Lease, result: Result) -> None:
        if not self._abandoned:
            super().put(lease, result)

    def end(self) -> None:
        if not self._abandoned:
            self._queue.put(None)

    def __iter__(self) -> Iterator[Item]:
        yield from iter(self._queue.get, None)

    def abandon(self) -> None:
        """The caller has left the loop: whoever waits to put something is let go."""
        self._abandoned = True
        try:
            while True:
                item = self._queue.get_nowait()
                if item:
                    item[0].release()
        except Empty:
            pass
