"""Frames in work: preallocated, shared buffers, and the inbox where frames wait for the detector."""

from __future__ import annotations

import sys
import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import Callable, Deque, Dict, List, Optional, Set, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.loop.watching import Work
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
        moved: whether something moved, in this frame or in one that it replaced. Without a motion gate always True.
        inferred: whether the detector sees the frame.
        shown: see `PacketRing.shown`.
        work: how its boxes were found, for a recorder.
    """

    __slots__ = (
        "_alike", "_lock", "_readers", "_ring", "_shape",
        "arrived_s", "buffer", "capture_ms", "frame", "inferred", "live", "moved", "restarts", "shown", "source",
        "work",
    )  # fmt: skip

    def __init__(self, ring: Ring) -> None:
        self._ring, self._lock, self._readers = ring, threading.Lock(), 0
        self.buffer: Optional[NDArray[np.uint8]] = None
        self.frame: Optional[Frame] = None
        self.source, self.live, self.arrived_s, self.capture_ms, self.restarts = 0, False, 0.0, 0.0, 0
        self.moved = self.inferred = True
        self.shown: Optional[Tuple[int, float]] = None
        self.work: Optional[Work] = None
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
        self._allocate, self._size = allocate, size
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

    @property
    def is_whole(self) -> bool:
        """Whether all leases are free."""
        return self._free.qsize() == self._size

    def give_back(self, lease: Lease) -> None:
        """Makes a lease free again."""
        if lease.frame is not None and lease.frame.pixels is not None:
            lease.buffer = lease.frame.made
        lease.frame = lease.work = None
        self._free.put(lease)


class Inbox:
    """Frames of all sources, waiting for the detector. The source that was served longest ago comes first.

    A live source has one place, and a newer frame replaces an older one. Any other source waits for a free place.

    Args:
        sources: number of sources to begin with. Their numbers count from 0.
        depth: places of a source that is not live.

    Attributes:
        dropped: by number of the source, how many of its frames a newer one replaced.
    """

    def __init__(self, sources: int = 0, depth: int = 2) -> None:
        self._depth, self._ended = depth, False
        self._queues: Dict[int, Deque[Lease]] = {}  # in the order in which they are served
        self._open: Set[int] = set()
        self._changed = threading.Condition()
        self.dropped: List[int] = []
        for _ in range(sources):
            self.add()

    def add(self) -> Optional[int]:
        """Makes a place for one more source. Returns its number; None if nobody takes frames any more."""
        with self._changed:
            if self._ended:
                return None
            number = len(self.dropped)
            self.dropped.append(0)
            self._queues[number] = deque()
            self._open.add(number)
            return number

    def put(self, lease: Lease) -> bool:
        """Adds a frame. Waits for a free place. False if the source was ended meanwhile; the frame is then released."""
        with self._changed:
            queue = self._queues.get(lease.source, deque())
            if lease.live:
                while queue:
                    lease.moved = lease.moved or queue[0].moved
                    queue.popleft().release()
                    self.dropped[lease.source] += 1
            self._changed.wait_for(lambda: len(queue) < self._depth or lease.source not in self._open)
            taken = lease.source in self._open
            if taken:
                queue.append(lease)
                self._changed.notify_all()
        if not taken:
            lease.release()
        return taken

    def get(self, block: bool, most_s: float = 0.0, woken: Callable[[], bool] = lambda: False) -> Optional[Lease]:
        """The next frame, from the sources in turn. None if there is none now, or (blocking) if no more will come.

        Args:
            most_s: without blocking, how long it waits for one.
            woken: it waits no longer if this is true; see `wake`.
        """
        with self._changed:
            if block or most_s > 0:
                self._changed.wait_for(
                    lambda: any(self._queues.values()) or not self._open or woken(), None if block else most_s
                )
            for number, queue in self._queues.items():
                if queue:
                    self._queues[number] = self._queues.pop(number)  # it is now the last one
                    self._changed.notify_all()
                    return queue.popleft()
            self._ended = self._ended or (block and not self._open)
        return None

    def wake(self) -> None:
        """Lets `get` look at its `woken` anew."""
        with self._changed:
            self._changed.notify_all()

    def end(self, source: int) -> None:
        """Notes that no more frames come from this source. Waiting frames are still served."""
        with self._changed:
            self._open.discard(source)
            self._changed.notify_all()

    def remove(self, source: int) -> None:
        """Ends a source and releases its waiting frames. It may be called more than once."""
        with self._changed:
            self._open.discard(source)
            self._release(self._queues.pop(source, deque()))
            self._changed.notify_all()

    def drop_waiting(self) -> None:
        """Ends every source for good and releases the waiting frames."""
        with self._changed:
            self._ended = True
            self._open.clear()
            for queue in self._queues.values():
                self._release(queue)
            self._changed.notify_all()

    @staticmethod
    def _release(queue: Deque[Lease]) -> None:
        while queue:
            queue.popleft().release()
