"""Takes frames into the pipeline. Each source has a thread that reads into shared buffers."""

from __future__ import annotations

import threading
from time import monotonic, perf_counter
from typing import Callable, Optional

from edge_runtime.loop.motion import Motion
from edge_runtime.loop.ring import Inbox, Lease, Ring
from edge_runtime.sources import Source


class SourceThread:
    """Reads one source in its own thread. Calls `failed` with its error after all earlier frames are in the inbox.

    Args:
        motion: looks for motion in each frame; None if nobody asks.
    """

    def __init__(
        self,
        number: int,
        source: Source,
        inbox: Inbox,
        stopping: threading.Event,
        failed: Callable[[Source, BaseException], None],
        motion: Optional[Motion] = None,
    ) -> None:
        self.source, self.number, self._motion = source, number, motion
        self._inbox, self._stopping, self._failed = inbox, stopping, failed
        self._reading = threading.Thread(target=self._read_all, name=f"source {source.name}", daemon=True)
        self._closing = threading.Thread(target=self._close, name=f"close {source.name}", daemon=True)

    def start(self, ring: Ring) -> None:
        """Starts the thread. Frames then come in buffers of the ring."""
        self._ring = ring
        self._reading.start()

    def close(self) -> None:
        """Closes the source, which ends a waiting read. It uses a thread, because a driver may hang in both.

        It may be called more than once.
        """
        if self._closing.ident is None:
            self._closing.start()

    def join(self, until_s: float) -> bool:
        """Whether the source is closed and its thread has ended. Waits until `until_s` (monotonic) at most."""
        threads = [thread for thread in (self._reading, self._closing) if thread.ident is not None]
        for thread in threads:
            thread.join(max(0.0, until_s - monotonic()))
        return not any(thread.is_alive() for thread in threads)

    @property
    def done(self) -> bool:
        """Whether no more frames come, and all that came were released."""
        return self._reading.ident is not None and not self._reading.is_alive() and self._ring.is_whole

    def _read_all(self) -> None:
        try:
            while not self._stopping.is_set():
                lease = self._ring.take(0.25)
                if lease is not None and not self._read(lease):
                    break
        except Exception as error:
            self._failed(self.source, error)
        finally:
            self._inbox.end(self.number)

    def _read(self, lease: Lease) -> bool:
        filled = False
        try:
            filled = self._fill(lease)
        finally:
            if not filled:
                self._ring.give_back(lease)
        return filled and self._inbox.put(lease)

    def _fill(self, lease: Lease) -> bool:
        started = perf_counter()
        frame = self.source.read(lease.buffer)
        if frame is None:
            return False
        lease.fill(frame)
        lease.source, lease.live, lease.arrived_s = self.number, self.source.live, perf_counter()
        lease.capture_ms = (lease.arrived_s - started) * 1e3
        lease.restarts = getattr(self.source, "restarts", 0)
        lease.moved = self._motion is None or self._motion.seen(frame, lease.restarts)
        return True

    def _close(self) -> None:
        try:
            self.source.close()
        except Exception as error:
            self._failed(self.source, error)
