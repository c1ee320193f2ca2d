"""Frames in flight: preallocated, leased buffers, and the inbox where they wait for the detector."""

from __future__ import annotations

import sys
import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import Deque, List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.types import Frame

_OWN_REFERENCES = 2  # the lease's, and getrefcount's argument


class Lease:
    """A buffer and the frame in it. Readers are counted; the last one to release gives the buffer back to the ring.

    Attributes:
        frame: what the source read; None while the buffer is free.
        source: number of the source.
        live: whether the source is live.
        arrived_s: `perf_counter()` when the frame was complete.
        capture_ms: how long reading it took.
    """

    __slots__ = ("_lock", "_readers", "_ring", "arrived_s", "buffer", "capture_ms", "frame", "live", "source")

    def __init__(self, ring: Ring) -> None:
        self._ring, self._lock, self._readers = ring, threading.Lock(), 0
        self.buffer: Optional[NDArray[np.uint8]] = None
        self.frame: Optional[Frame] = None
        self.source, self.live, self.arrived_s, self.capture_ms = 0, False, 0.0, 0.0

    def fill(self, frame: Frame) -> None:
        """Takes a frame in; its image becomes the buffer of later frames. The caller is the first reader."""
        self.frame, self.buffer = frame, frame.image
        self._readers = 1

    def hold(self) -> None:
        """Counts one more reader."""
        with self._lock:
            self._readers += 1

    def release(self) -> None:
        """Ends one reader's use."""
        with self._lock:
            self._readers -= 1
            free = self._readers == 0
        if free:
            self._ring.give_back(self)


class Ring:
    """A fixed number of leases. Buffers are made when first filled and used again afterwards."""

    def __init__(self, size: int) -> None:
        self._free: SimpleQueue[Lease] = SimpleQueue()
        for _ in range(size):
            self._free.put(Lease(self))

    def take(self, timeout_s: Optional[float] = None) -> Optional[Lease]:
        """A free lease, None after the timeout. A buffer that somebody still refers to is left to them, not reused."""
        try:
            lease = self._free.get(timeout=timeout_s)
        except Empty:
            return None
        if lease.buffer is not None and sys.getrefcount(lease.buffer) > _OWN_REFERENCES:
            lease.buffer = None
        return lease

    def give_back(self, lease: Lease) -> None:
        """Makes a lease free again."""
        lease.frame = None
        self._free.put(lease)


class Inbox:
    """Frames of all sources, waiting for the detector, served in turn.

    A live source has one place and the newest frame wins; any other source waits while its places are taken.

    Attributes:
        dropped: frames of each source that a newer one replaced.
    """

    def __init__(self, live: Sequence[bool], depth: int = 2) -> None:
        self._live, self._depth = live, depth
        self._queues: List[Deque[Lease]] = [deque() for _ in live]
        self._open = [True] * len(live)
        self._changed = threading.Condition()
        self._turn = 0
        self.dropped = [0] * len(live)

    def put(self, lease: Lease) -> bool:
        """Adds a frame, waiting for a place if need be; False where the source was ended meanwhile (frame released)."""
        queue = self._queues[lease.source]
        with self._changed:
            if lease.live:
                while queue:
                    queue.popleft().release()
                    self.dropped[lease.source] += 1
            self._changed.wait_for(lambda: len(queue) < self._depth or not self._open[lease.source])
            taken = self._open[lease.source]
            if taken:
                queue.append(lease)
                self._changed.notify_all()
        if not taken:
            lease.release()
        return taken

    def get(self, block: bool) -> Optional[Lease]:
        """The next frame, source by source; None where there is none now, or (blocking) none will come any more."""
        with self._changed:
            if block:
                self._changed.wait_for(lambda: any(self._queues) or not any(self._open))
            for step in range(len(self._queues)):
                number = (self._turn + step) % len(self._queues)
                if self._queues[number]:
                    self._turn = number + 1
                    self._changed.notify_all()
                    return self._queues[number].popleft()
        return None

    def end(self, source: int) -> None:
        """No more frames come from this source; those waiting are still served."""
        with self._changed:
            self._open[source] = False
            self._changed.notify_all()

    def drop_waiting(self) -> None:
        """Ends every source and releases what waits."""
        with self._changed:
            self._open = [False] * len(self._open)
            for queue in self._queues:
                while queue:
                    queue.popleft().release()
            self._changed.notify_all()
