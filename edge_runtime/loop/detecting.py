"""The work of the detecting thread: takes frames from the inbox through a detector's slots and delivers results."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from time import perf_counter
from typing import Callable, Deque, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.detect import results
from edge_runtime.detect.detector import Detector, warm_up
from edge_runtime.detect.finite import OutputWatch
from edge_runtime.errors import UsageError
from edge_runtime.loop.pace import Pace
from edge_runtime.loop.ring import Inbox, Lease
from edge_runtime.track.tracker import SourceTrackers
from edge_runtime.types import Detections, Result

InFlight = Deque[Tuple[int, List[Lease]]]


class Detecting:
    """Runs one detector, or several one after the other. They are reserved for it from `claim` to `release`.

    Args:
        detector: the first detector.
        inbox: the waiting frames.
        deliver: called with each result and its lease, in order.
        stopping: set when the run must end soon.
        max_frames: number of frames to take; None for all.
        trackers: give boxes the ids of their objects; None for no ids.

    Attributes:
        pace: the most frames per second that are taken.
        watch: whether the outputs are finite, in this run.
        capacity: the most frames in work at once. No later detector may need more.
    """

    def __init__(
        self,
        detector: Detector,
        inbox: Inbox,
        deliver: Callable[[Lease, Result], None],
        stopping: threading.Event,
        *,
        max_frames: Optional[int] = None,
        trackers: Optional[SourceTrackers] = None,
        warmup: int = 2,
    ) -> None:
        self._detector, self.backend = detector, detector.backend
        self.capacity = self.backend.slots * self.backend.batch
        self._inbox, self._deliver, self._stopping = inbox, deliver, stopping
        self._max_frames, self._warmup, self._trackers = max_frames, warmup, trackers
        self.pace, self.watch = Pace(), OutputWatch()
        self._next: Deque[Detector] = deque(maxlen=1)
        self._claimed: List[Detector] = []

    def claim(self, detector: Optional[Detector] = None) -> None:
        """Reserves a detector, the first one by default, for the rest of the run.

        Raises:
            UsageError: another pipeline runs over it.
        """
        detector = detector or self._detector
        if detector not in self._claimed:
            detector.claim()
            self._claimed.append(detector)

    def release(self) -> None:
        """Ends the reservation of the detectors. It may be called more than once."""
        while self._claimed:
            self._claimed.pop().release()

    def warm_up(self) -> None:
        """Runs the first detector on an empty image."""
        warm_up(self._detector, self._warmup)

    def swap(self, detector: Detector) -> None:
        """See `Pipeline.swap`."""
        self.check_swap(detector)
        if detector not in self._claimed:  # the other detectors are warm, and one of them runs now
            self.claim(detector)
            warm_up(detector, self._warmup)
        self._next.append(detector)

    def check_swap(self, detector: Detector) -> None:
        """See `Pipeline.check_swap`."""
        if detector.model.spec.labels != self._detector.model.spec.labels:
            raise UsageError("engines of different classes cannot take turns", hint="give engines of one data set")
        if detector.backend.slots * detector.backend.batch > self.capacity:
            raise UsageError("an engine of a bigger batch cannot take over", hint="begin with the biggest batch")

    def allocate(self, shape: Tuple[int, ...]) -> Optional[NDArray[np.uint8]]:
        """See `Backend.allocate`: memory of the detector that runs now."""
        return self.backend.allocate(shape)

    def run(self) -> None:
        """Runs until the inbox ends, until `max_frames`, or until the first error."""
        in_flight: InFlight = deque()
        try:
            self._loop(in_flight)
        finally:
            for slot, _ in in_flight:  # after an error too, so that the next user finds no slot in work
                with suppress(Exception):
                    self.backend.wait(slot)

    def _loop(self, in_flight: InFlight) -> None:
        free, taken = deque(range(self.backend.slots)), 0
        while True:
            if self._next and not in_flight:
                self._detector = self._next.pop()
                self.backend = self._detector.backend
                free = deque(range(self.backend.slots))
            leases: List[Lease] = []
            while free and not self._next and len(leases) < self.backend.batch and taken != self._max_frames:
                idle = not leases and not in_flight
                lease = self._inbox.get(block=idle) if self._due(idle) else None
                if lease is None:
                    break
                self.pace.taken()
                leases.append(lease)
                taken += 1
            if leases:
                slot = free.popleft()
                self.backend.enqueue(slot, [lease.frame.picture for lease in leases if lease.frame])
                in_flight.append((slot, leases))
            elif in_flight:
                slot, leases = in_flight.popleft()
                self._hand_out(slot, leases)
                free.append(slot)
            elif not self._next:
                return

    def _due(self, idle: bool) -> bool:
        """Whether the next frame may be taken now. If there is no other work, it waits until it may."""
        if idle:
            self._stopping.wait(self.pace.wait_s)
        return idle or not self.pace.wait_s

    def _hand_out(self, slot: int, leases: List[Lease]) -> None:
        boxes, counts = self.backend.wait(slot)
        self.watch.seen(self.backend, slot, len(leases), int(counts[: len(leases)].sum()))
        stages = self.backend.stage_ms(slot)
        labels = self._detector.model.spec.labels
        for number, lease in enumerate(leases):
            assert lease.frame is not None
            frame = lease.frame
            rows = results.checked(boxes[number, : counts[number]], self._detector.model, frame.image_wh)
            found = Detections.from_rows(rows, labels)
            found.source, found.path, found.image_wh = frame.source, frame.path, frame.image_wh
            times = {"capture": lease.capture_ms, **stages}
            places = None
            if self._trackers is not None:
                started = perf_counter()
                found, places = self._trackers.update(found, frame, lease.restarts)
                times["tracking"] = (perf_counter() - started) * 1e3
            self._deliver(lease, Result(frame, found, times, (perf_counter() - lease.arrived_s) * 1e3, places))
            lease.release()
