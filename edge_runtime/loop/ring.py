"""Frames in work: preallocated, shared buffers, and the inbox where frames wait for the detector."""

from __future__ import annotations

import sys
import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import Callable, Deque, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.types import Frame

_OWN_REFERENCES = 2  # references: that of the lease, and getrefcount's argument
Shape = Tuple[int, ...]
Allocate = Callable[[Shape], Optional[NDArray[np.uint8]]]


class Lease:
    """A buffer and the frame in it. Readers are counted. When the last one releases it, the ring gets the buffer back.

    Attributes:
        frame: the frame that the source read; None while the buffer is free.
        source: number of the source.
        live: whether the source is live.
        arrived_s: `perf_counter()` when the frame was complete.
        capture_ms: duration of the read, milliseconds.
        restarts: how often the source had begun again; see `Source`.
    """

    __slots__ = (
        "_alike", "_lock", "_readers", "_ring", "_shape",
        "arrived_s", "buffer", "capture_ms", "frame", "live", "restarts", "source",
    )  # fmt: skip

    def __init__(self, ring: Ring) -> None:
        self._ring, self._lock, self._readers = ring, threading.Lock(), 0
        self.buffer: Optional[NDArray[np.uint8]] = None
        self.frame: Optional[Frame] = None
        self.source, self.live, self.arrived_s, self.capture_ms, self.restarts = 0, False, 0.0, 0.0, 0
        self._shape: Shape = ()  # of the last image, and how many of that shape came before it in turn
        self._alike = 0

    def fill(self, frame: Frame) -> None:
        """Takes a frame. Its image becomes the buffer of later frames. The caller is the first reader.

        A frame of pixels gets the buffer for its image, in case somebody asks for the image.
        """
        if frame.pixels is not None:
            frame.lend(self.buffer)
            self.buffer = None
        else:
            self.buffer = frame.image
            self._alike = self._alike + 1 if self.buffer.shape == self._shape else 0
            self._shape = self.buffer.shape
        self.frame = frame
        self._readers = 1

    def move(self, allocate: Allocate) -> None:
        """Moves the buffer into the detector's own memory: once, when two images in turn had the same shape."""
        if self.buffer is not None and self._alike == 1:
            own = allocate(self._shape)
            self.buffer = self.buffer if own is None else own

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
    """A fixed number of leases. Their buffers are created at the first use and used again afterwards.

    Args:
        allocate: the memory of a backend; see `Backend.allocate`. Sources then write where the GPU reads.
    """

    def __init__(self, size: int, allocate: Allocate = lambda shape: None) -> None:
        self._allocate = allocate
        self._free: SimpleQueue[Lease] = SimpleQueue()
        for _ in range(size):
            self._free.put(Lease(self))

    def take(self, timeout_s: Optional[float] = None) -> Optional[Lease]:
        """A free lease; None after the timeout. A buffer that other code still refers to is not used again."""
        try:
            lease = self._free.get(timeout=timeout_s)
        except Empty:
            return None
        if lease.buffer is not None and sys.getrefcount(lease.buffer) > _OWN_REFERENCES:
            lease.buffer = None
        lease.move(self._allocate)
        return lease

    def give_back(self, lease: Lease) -> None:
        """Makes a lease free again."""
        if lease.frame is not None and lease.frame.pixels is not None:
            lease.buffer = lease.frame.made
        lease.frame = None
        self._free.put(lease)


class Inbox:
    """Frames of all sources, waiting for the detector, served in turn.

    A live source has one place, and a newer frame replaces an older one. Any other source waits for a free place.

    Attributes:
        dropped: number of frames of each source that a newer one replaced.
    """

    def __init__(self, live: Sequence[bool], depth: int = 2) -> None:
        self._live, self._depth = live, depth
        self._queues: List[Deque[Lease]] = [deque() for _ in live]
        self._open = [True] * len(live)
        self._changed = threading.Condition()
        self._turn = 0
        self.dropped = [0] * len(live)

    def put(self, lease: Lease) -> bool:
        """Adds a frame. Waits for a free place. False if the source was ended meanwhile; the frame is then released."""
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
        """The next frame, from the sources in turn. None if there is none now, or (blocking) if no more will come."""
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
        """Notes that no more frames come from this source. Waiting frames are still served."""
        with self._changed:
            self._open[source] = False
            self._changed.notify_all()

    def drop_waiting(self) -> None:
        """Ends every source and releases the waiting frames."""
        with self._changed:
            self._open = [False] * len(self._open)
            for queue in self._queues:
                while queue:
                    queue.popleft().release()
            self._changed.notify_all()
