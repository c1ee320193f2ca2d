"""A thread that hashes the pictures of results, and keeps those of which no encoded picture is kept."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from queue import Full, Queue
from typing import Optional, Tuple

import numpy as np

from edge_runtime.blackbox.hashing import TensorHash, as_pixels, hash_pixels
from edge_runtime.blackbox.kept import Kept, Shelf
from edge_runtime.loop.ring import Lease
from edge_runtime.types import Frame
from edge_runtime.types.packets import PacketRing
from edge_runtime.types.pixels import Pixels

Item = Tuple[Kept, Lease, bool]

log = logging.getLogger("edge_runtime")


class Hasher:
    """Takes frames as an output does: if it is late, a file waits, and of a live source a frame has no hash.

    Args:
        shelf: takes the pixels.
        depth: frames that may wait.
    """

    def __init__(self, shelf: Shelf, depth: int) -> None:
        self._shelf = shelf
        self._queue: Queue[Optional[Item]] = Queue(depth)
        self._tensor = TensorHash()
        self._thread = threading.Thread(target=self._work, name="black box hashes", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def put(self, kept: Kept, lease: Lease, ring: Optional[PacketRing]) -> None:
        """Takes the frame of a result.

        Args:
            ring: encoded pictures of its source; None if there are none.
        """
        encoded = ring is not None and not ring.why and kept.shown is not None and isinstance(
            lease.frame and lease.frame.picture, Pixels)  # fmt: skip
        kept.shown = kept.shown if encoded else None  # an image was turned, as its file says
        lease.hold()
        try:
            self._queue.put((kept, lease, encoded), block=not lease.live)
        except Full:
            kept.waits = False
            lease.release()

    def end(self) -> None:
        """Works off what waits."""
        if self._thread.ident is not None:
            self._queue.put(None)
            self._thread.join()

    def _work(self) -> None:
        for kept, lease, encoded in iter(self._queue.get, None):
            with suppress(Exception):  # without a hash nothing is lost but the comparison
                assert lease.frame is not None
                self._take(kept, lease.frame, encoded)
            kept.waits = False
            lease.release()

    def _take(self, kept: Kept, frame: Frame, encoded: bool) -> None:
        pixels = as_pixels(frame.picture)
        kept.tensor = self._tensor(frame.picture, kept.detector.model.spec)
        kept.pixels = hash_pixels(pixels)
        if not encoded:
            self._shelf.set_planes(kept, [np.array(plane, order="C") for plane in pixels.planes])
