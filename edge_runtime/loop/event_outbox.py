"""Hands events to one sink, through a bounded queue and a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterator

from edge_runtime.loop.ring import Lease
from edge_runtime.loop.worker import Fail, Worker
from edge_runtime.sinks import EventSink
from edge_runtime.types import Result
from edge_runtime.types.events import Event

DEPTH = 1000
MOST_BYTES = 16 << 20  # of pictures that wait
PATIENCE_S = 2.0  # a file waits so long for a sink that takes nothing


class EventThread(Worker):
    """An `Outbox` for a sink of events. It takes no results.

    If its queue is full, a run over files waits. But it does not wait for a sink that hangs, and a run with a live
    source waits for none. Events that find no place are counted as lost.

    Args:
        patient: whether the run may wait now.
        sink, fail, stop, close: see `Worker`.

    Attributes:
        taken: number of events that the sink took.
        lost: number of events that found no place, or came after it had failed.
    """

    holds = 0

    def __init__(
        self,
        sink: EventSink,
        fail: Fail,
        stop: Callable[[], None],
        close: Callable[[], None],
        patient: Callable[[], bool],
    ) -> None:
        super().__init__(sink, fail, stop, close)
        self._events, self._patient = sink, patient
        self._waiting: Deque[Event] = deque()
        self._bytes = self.taken = self.lost = 0
        self._changed = threading.Condition()
        self._over = self._late = False

    def offer(self, event: Event) -> None:
        """Takes an event, or counts it as lost."""
        with self._changed:
            if self._is_full() and not self._late and self._patient():
                self._late = not self._changed.wait_for(lambda: not self._is_full(), PATIENCE_S)
            if self._is_full() or self.broken or self.left:
                self.lost += 1
                return
            self._waiting.append(event)
            self._bytes += len(event.picture or b"")
            self._changed.notify_all()

    def put(self, lease: Lease, result: Result) -> None:
        """Does nothing: the hub makes events of the results."""

    def admit(self, source: str, rate: float) -> None:
        """Does nothing: each event names its source."""

    def end(self) -> None:
        """See `Outbox.end`."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def leave(self) -> None:
        """See `Outbox.leave`. What waits is lost."""
        with self._changed:
            self.left = self._over = True
            self.lost += len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        super().leave()

    def summary(self) -> Dict[str, Any]:
        """Plain data for JSON, with that of the sink."""
        about: Dict[str, Any] = getattr(self._sink, "summary", dict)()
        return {"events": {"taken": self.taken, **about, "lost": self.lost + about.get("lost", 0)}}

    def _items(self) -> Iterator[Event]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._over)
                if not self._waiting:
                    return
                event = self._waiting.popleft()
                self._bytes -= len(event.picture or b"")
            yield event

    def _handle(self, event: Event) -> None:
        if not self.broken:
            self._attempt(self._events.take, event)
        with self._changed:
            self.taken, self.lost = self.taken + (not self.broken), self.lost + self.broken
            self._late = False
            self._changed.notify_all()

    def _is_full(self) -> bool:
        return not self.left and (len(self._waiting) >= DEPTH or self._bytes >= MOST_BYTES)
