"""The outputs of a run: those for all sources, and those for one, which come and go with it."""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, Iterator, List, Optional

from edge_runtime.loop.event_outbox import EventThread
from edge_runtime.loop.outbox import Outbox, Reader, SinkThread
from edge_runtime.loop.ring import Lease
from edge_runtime.loop.worker import Fail, closing
from edge_runtime.types import Result
from edge_runtime.types.events import Event

SINK_DEPTH = 2


class Outputs:
    """A thread for each output.

    Args:
        fail, stop: see `Worker`.
        patient: whether a slow sink of events may stop the run for a while.
        grace_s: an output that hangs for so long, after its source was removed, is left behind.

    Attributes:
        boxes: all of them.
    """

    def __init__(self, fail: Fail, stop: Callable[[], None], patient: Callable[[], bool], grace_s: float) -> None:
        self._fail, self._stop, self._patient, self._grace_s = fail, stop, patient, grace_s
        self.boxes: List[Outbox] = []
        self._takers: List[EventThread] = []
        self._only: Dict[Outbox, str] = {}  # outputs of one source, and its name
        self._leaving: Dict[int, List[Outbox]] = {}  # by the number of a removed source
        self._ending: List[threading.Thread] = []
        self._started, self._changing = False, threading.Lock()

    def add(self, sink: Any, only: Optional[str] = None) -> None:
        """One more, with a thread for frames, one for events, or both. `only` is the source that it is for."""
        close = closing(sink, hasattr(sink, "write") + hasattr(sink, "take"))
        added: List[Outbox] = []
        if hasattr(sink, "write"):
            added.append(SinkThread(sink, SINK_DEPTH, self._fail, self._stop, close))
        if hasattr(sink, "take"):
            taker = EventThread(sink, self._fail, self._stop, close, self._patient)
            added.append(taker)
        with self._changing:
            self._only.update({box: only for box in added if only is not None})
            self._takers += [box for box in added if isinstance(box, EventThread)]
            self.boxes += added
            for box in added if self._started else []:
                box.start()

    def reader(self) -> Reader:
        """Adds a caller who reads the results."""
        reader = Reader(SINK_DEPTH)
        self.boxes.append(reader)
        return reader

    def admit(self, source: str, rate: float) -> None:
        """Tells those for all sources of one more."""
        for box in list(self.boxes):
            if box not in self._only:
                box.admit(source, rate)

    def start(self) -> None:
        """Starts the threads."""
        with self._changing:
            self._started = True
            for box in self.boxes:
                box.start()

    def put(self, lease: Lease, result: Result) -> None:
        """Gives a result to those that it is for."""
        source = result.frame.source
        with self._changing:
            boxes = [box for box in self.boxes if self._is_for(box, lease.source, source)]
        for box in boxes:
            box.put(lease, result)

    def offer(self, event: Event, number: Optional[int] = None) -> None:
        """Gives an event to those that it is for. What has no source is for all.

        Args:
            number: of its source; None for the one that runs now under its name.
        """
        with self._changing:
            takers = [box for box in self._takers if not event.source or self._is_for(box, number, event.source)]
        for taker in takers:
            taker.offer(event)

    def leave(self, number: int, name: str) -> None:
        """Notes the outputs of a source that is removed: another one may come under its name before `gone`."""
        before = [box for boxes in self._leaving.values() for box in boxes]
        mine = [box for box, only in list(self._only.items()) if only == name]
        self._leaving[number] = [box for box in mine if box not in before]

    def gone(self, number: int) -> None:
        """Ends the outputs of a removed source whose last frame was put. It does not wait."""
        with self._changing:
            gone = self._leaving.pop(number, [])
            for box in gone:
                del self._only[box]
                self.boxes.remove(box)
            self._takers = [taker for taker in self._takers if taker not in gone]
        for box in gone:
            self._ending.append(threading.Thread(target=self._end, args=(box,), daemon=True))
            self._ending[-1].start()

    def end(self) -> None:
        """Ends all, and waits until everything is written, or what hangs is left behind."""
        for box in self.boxes:
            box.end()
        for box in self.boxes:
            box.join()
        for thread in self._ending:
            thread.join()

    def hanging(self, since_s: float) -> Iterator[Outbox]:
        """Those that hang since then (`perf_counter`) for too long."""
        return (box for box in list(self.boxes) if box.hangs(since_s, self._grace_s))

    @property
    def awaits_caller(self) -> bool:
        """Whether the run waits for a caller who iterates, and may take any time."""
        return any(isinstance(box, Reader) and box.awaited for box in list(self.boxes))

    @property
    def events(self) -> bool:
        """Whether one takes events."""
        return bool(self._takers)

    @property
    def broken(self) -> bool:
        """Whether all have failed."""
        return all(box.broken for box in list(self.boxes))

    @property
    def holds(self) -> int:
        """The most frames of one source that they keep from being used again."""
        return sum(box.holds for box in list(self.boxes))

    def _is_for(self, box: Outbox, number: Optional[int], source: str) -> bool:
        """Whether a box takes the results of the source of this number and name."""
        only, leaving = self._only.get(box), dict(self._leaving)
        its = next((each for each, boxes in leaving.items() if box in boxes), None)
        return only is None or (only == source and its == (number if number in leaving else None))

    def _end(self, box: Outbox) -> None:
        late = threading.Timer(self._grace_s, box.leave)
        late.start()
        box.end()
        box.join()
        late.cancel()
