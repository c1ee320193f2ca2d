"""The work of the detecting thread: takes frames from the inbox through a detector's slots and delivers results."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from time import perf_counter
from typing import Callable, Deque, Dict, Iterator, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.detect import results
from edge_runtime.detect.finite import OutputWatch
from edge_runtime.loop.gate import Gates
from edge_runtime.loop.pace import Pace
from edge_runtime.loop.ring import Inbox, Lease
from edge_runtime.loop.rules import RuleBook
from edge_runtime.loop.turns import Turns
from edge_runtime.loop.watching import Recorder, Work
from edge_runtime.track.tracker import SourceTrackers
from edge_runtime.types import Detections, Result
from edge_runtime.types.places import PlaceStates

FILL_S = 0.005  # how long a batch waits for frames that fill it, and only while the detector works on an earlier one
InFlight = Deque[Tuple[Optional[int], List[Lease]]]  # without a slot: nothing of it is inferred


class Detecting:
    """Runs one detector, or several one after the other.

    Args:
        turns: the detectors.
        inbox: the waiting frames.
        deliver: called with each result and its lease, in order.
        stopping: set when the run must end soon.
        max_frames: number of frames to take; None for all.
        rules: which boxes each stream reports, and how it is tracked.
        gone: called with the number of a source that was removed, after its last frame.
        gates: keep frames without motion from inference; None for none.
        recorder: wants `Lease.work`; None if nobody does.

    Attributes:
        pace: the most frames per second that are taken.
        trackers: give boxes the ids of their objects.
        watch: whether the outputs are finite, in this run.
        warm: the first detector has run.
        idle: it waits for frames, else it has been at the same thing since `beat_s` (`perf_counter`).
    """

    def __init__(
        self,
        turns: Turns,
        inbox: Inbox,
        deliver: Callable[[Lease, Result], None],
        stopping: threading.Event,
        *,
        max_frames: Optional[int] = None,
        rules: RuleBook,
        gone: Callable[[int], None] = lambda number: None,
        gates: Optional[Gates] = None,
        recorder: Optional[Recorder] = None,
    ) -> None:
        self.turns = turns
        self._inbox, self._deliver, self._stopping = inbox, deliver, stopping
        self._max_frames, self._rules = max_frames, rules
        self.trackers, self._told = SourceTrackers(), gone
        self._gates, self._recorder, self._runs = gates, recorder, 0
        self._gone: Deque[Tuple[int, str]] = deque()
        self.pace, self.watch = Pace(), OutputWatch()
        self.warm, self.idle, self.beat_s = False, False, 0.0

    def warm_up(self) -> None:
        """Runs the first detector on an empty image."""
        self.turns.warm_up()
        self.warm, self.beat_s = True, perf_counter()

    def allocate(self, shape: Tuple[int, ...]) -> Optional[NDArray[np.uint8]]:
        """See `Backend.allocate`: memory of the detector that runs now."""
        return self.turns.backend.allocate(shape)

    @property
    def holds(self) -> int:
        """The most frames of one source that are in work, or wait for those."""
        return self.turns.capacity if self._gates is None else 2 * self.turns.capacity

    def forget(self, source: int, name: str) -> None:
        """Frees what is known of a source that was removed, after its last frame. Any thread may call this."""
        self._gone.append((source, name))
        self._inbox.wake()

    def run(self) -> None:
        """Runs until the inbox ends, until `max_frames`, or until the first error."""
        in_flight: InFlight = deque()
        try:
            self._loop(in_flight)
        finally:
            for slot, _ in in_flight:  # after an error too, so that the next user finds no slot in work
                if slot is not None:
                    with suppress(Exception):
                        self.turns.wait(slot)

    def _loop(self, in_flight: InFlight) -> None:
        free, taken = deque(range(self.turns.backend.slots)), 0
        while True:
            if self.turns.ending and not in_flight:
                self.turns.take_over()
                free = deque(range(self.turns.backend.slots))
            self._forget_gone(in_flight)
            leases: List[Lease] = []
            until_s = perf_counter() + FILL_S
            while self._has_room(free, in_flight, leases) and taken != self._max_frames:
                self.idle = idle = not leases and not in_flight
                most_s = until_s - perf_counter() if leases and in_flight else 0.0
                lease = self._next(idle, most_s) if self._due(idle) else None
                self.idle, self.beat_s = False, perf_counter()
                if lease is None:
                    break
                self._take(lease)
                leases.append(lease)
                taken += 1
            if leases:
                in_flight.append((self._enqueue(free, leases), leases))
            elif in_flight:
                slot, leases = in_flight.popleft()
                self._hand_out(slot, leases)
                if slot is not None:
                    free.append(slot)
            elif not self.turns.ending:
                return

    def _has_room(self, free: Deque[int], in_flight: InFlight, leases: List[Lease]) -> bool:
        """Whether one more frame may be taken. Frames that are not inferred wait in line, and need no slot."""
        backend = self.turns.backend
        waiting = backend.slots if self._gates is None else 2 * backend.slots
        return bool(free) and not self.turns.ending and len(in_flight) < waiting and len(leases) < backend.batch

    def _next(self, idle: bool, most_s: float) -> Optional[Lease]:
        """The next frame; see `Inbox.get`. A source that is removed while all others rest is not kept until then."""
        while True:
            lease = self._inbox.get(idle, most_s, lambda: bool(self._gone))
            if lease is not None or not (idle and self._gone):
                return lease
            self._forget_gone(deque())

    def _take(self, lease: Lease) -> None:
        lease.inferred = self._gates is None or self._gates.admits(lease)
        if lease.inferred:
            self.pace.taken()

    def _enqueue(self, free: Deque[int], leases: List[Lease]) -> Optional[int]:
        """Starts the frames that are to be inferred. Returns their slot; None if there is no such frame."""
        pictures = [lease.frame.picture for lease in leases if lease.frame and lease.inferred]
        if not pictures:
            return None
        slot = free.popleft()
        self.turns.enqueue(slot, pictures)
        return slot

    def _forget_gone(self, in_flight: InFlight) -> None:
        while self._gone:
            source, name = self._gone[0]
            if any(lease.source == source for _, leases in in_flight for lease in leases):
                return
            self._gone.popleft()
            self.trackers.forget(name, source)
            self._told(source)
            if self._gates is not None:
                self._gates.forget(source)

    def _due(self, idle: bool) -> bool:
        """Whether the next frame may be taken now. If there is no other work, it waits until it may."""
        if idle:
            self._stopping.wait(self.pace.wait_s)
        return idle or not self.pace.wait_s

    def _hand_out(self, slot: Optional[int], leases: List[Lease]) -> None:
        found = enumerate(self._wait(slot, leases) if slot is not None else ())
        self._runs += slot is not None
        stages = self.turns.backend.stage_ms(slot) if slot is not None else {}
        for lease in leases:
            assert lease.frame is not None
            times = {"capture": lease.capture_ms, **(stages if lease.inferred else {})}
            number, rows = next(found) if lease.inferred else (0, None)
            boxes, places = self._tracked(
                lease, self._boxes(lease, rows), times, slot if lease.inferred else None, number
            )
            if self._gates is not None and lease.inferred:
                self._gates.keep(lease, boxes)
            latency_ms = (perf_counter() - lease.arrived_s) * 1e3
            self._deliver(lease, Result(lease.frame, boxes, times, latency_ms, places, not lease.inferred))
            self.beat_s = perf_counter()
            lease.release()

    def _wait(self, slot: int, leases: List[Lease]) -> Iterator[NDArray[np.float32]]:
        """The rows of each frame of a slot."""
        boxes, counts = self.turns.wait(slot)
        number = sum(lease.inferred for lease in leases)
        self.watch.seen(self.turns.backend, slot, number, int(counts[:number].sum()))
        return (boxes[place, : counts[place]] for place in range(number))

    def _boxes(self, lease: Lease, rows: Optional[NDArray[np.float32]]) -> Detections:
        """What was found in a frame; without rows, in an earlier one."""
        frame, model = lease.frame, self.turns.detector.model
        assert frame is not None
        if rows is None:
            assert self._gates is not None
            found = self._gates.repeat(lease)
        else:
            found = Detections.from_rows(results.checked(rows, model, frame.image_wh), model.spec.labels)
        found.source, found.path, found.image_wh = frame.source, frame.path, frame.image_wh
        return found

    def _tracked(
        self, lease: Lease, found: Detections, times: Dict[str, float], slot: Optional[int], number: int
    ) -> Tuple[Detections, Optional[PlaceStates]]:
        assert lease.frame is not None
        rules = self._rules.of(lease.frame.source)
        if self._recorder is not None:
            name = lease.frame.source
            tracks = self.trackers.state(name) if rules.track and self._recorder.wants_tracks(name) else None
            lease.work = Work(self.turns.detector, found, rules, slot, number, self._runs, tracks)
        found = rules.keep(found)
        if rules.track is None:
            return found, None
        started, least = perf_counter(), rules.least(found)
        tracked, places = self.trackers.update(found, lease.frame, lease.restarts, rules.track, least, lease.source)
        times["tracking"] = (perf_counter() - started) * 1e3
        return tracked, places
