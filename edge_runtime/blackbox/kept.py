"""What is kept of each result, within a time and a number of bytes."""

from __future__ import annotations

import threading
from collections import deque
from copy import copy
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Deque, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.detect.detector import Detector
from edge_runtime.loop.rules import Rules

ROW_BYTES, BOX_BYTES, TRACK_BYTES = 2000, 500, 1000  # of the memory of a result, about


@dataclass(eq=False)
class Kept:
    """One result.

    Attributes:
        row: as JSON lines have it.
        found: (n, 6) float32 `[x1, y1, x2, y2, score, class_id]`, image pixels: the boxes before tracking.
        detector, rules: what found them.
        source, restarts, run: see `Lease` and `Work`.
        shown: see `PacketRing.shown`; None if no encoded picture is kept.
        about: format, size and colours of the picture.
        pixels, tensor: hashes; "" if there was no time for them.
        planes: the picture itself, if no encoded one is kept.
        outputs: of the network, of some frames.
        tracks: state of the tracker before this frame, of some frames.
        gone: it is not kept any more.
        waits: its hashes are still to come, and its planes.
        at_s: when it came, `monotonic()`.
    """

    row: Dict[str, Any]
    found: NDArray[np.float32]
    detector: Detector
    rules: Rules
    source: int
    restarts: int
    run: int
    shown: Optional[Tuple[int, float]]
    about: Dict[str, Any]
    pixels: str = ""
    tensor: str = ""
    planes: Optional[List[NDArray[np.uint8]]] = None
    outputs: Optional[List[NDArray[np.float32]]] = None
    tracks: Any = None
    gone: bool = False
    waits: bool = True
    at_s: float = field(default_factory=monotonic)

    @property
    def heavy_bytes(self) -> int:
        """Of planes and outputs."""
        return sum(plane.nbytes for plane in self.planes or []) + sum(output.nbytes for output in self.outputs or [])

    @property
    def light_bytes(self) -> int:
        """Of all else, about."""
        tracks = self.tracks["core"][0] if self.tracks else ()
        return ROW_BYTES + BOX_BYTES * len(self.found) + TRACK_BYTES * len(tracks)


class Shelf:
    """The results of the last seconds. Over the limit of bytes, the oldest pictures and outputs go first, then results.

    Args:
        seconds: how long a result is kept.
        most_bytes: the most bytes of all.

    Attributes:
        stripped: number of results that have lost their pixels so far.
    """

    def __init__(self, seconds: float, most_bytes: int) -> None:
        self._seconds, self._most = seconds, most_bytes
        self._lock = threading.Lock()
        self._kept: Deque[Kept] = deque()
        self._heavy: Deque[Kept] = deque()
        self._bytes = self.stripped = 0

    def add(self, kept: Kept) -> None:
        """The next result."""
        with self._lock:
            self._kept.append(kept)
            self._bytes += kept.light_bytes
            if kept.outputs:
                self._bytes += kept.heavy_bytes
                self._heavy.append(kept)
            self._forget()

    def set_planes(self, kept: Kept, planes: List[NDArray[np.uint8]]) -> None:
        """The picture of a result that was added before: planes of any shape, uint8."""
        with self._lock:
            if kept.gone:
                return
            if not kept.outputs:
                self._heavy.append(kept)
            kept.planes = planes
            self._bytes += sum(plane.nbytes for plane in planes)
            self._forget()

    def all(self) -> List[Kept]:
        """Those that are kept now, in order, with the pictures and outputs that they have now.

        What is still to come of the last ones joins them. So these are not copied.
        """
        with self._lock:
            self._forget()
            return [copy(k) if k.planes or (k.outputs and not k.waits) else k for k in self._kept]

    def _forget(self) -> None:
        until_s = monotonic() - self._seconds
        while self._kept and self._kept[0].at_s < until_s:
            self._drop()
        while self._bytes > self._most and self._heavy:
            self._strip(self._heavy.popleft())
        while self._bytes > self._most and len(self._kept) > 1:
            self._drop()

    def _drop(self) -> None:
        kept = self._kept.popleft()
        kept.gone = True
        self._bytes -= kept.light_bytes
        if kept.planes or kept.outputs:
            self._heavy.remove(kept)  # it is the first one, or nearly so
            self._strip(kept)

    def _strip(self, kept: Kept) -> None:
        self._bytes -= kept.heavy_bytes
        self.stripped += kept.planes is not None
        kept.planes = kept.outputs = None


def from_state(kept: List[Kept]) -> List[Kept]:
    """The results, for each source that is tracked from the first one on before which its tracker's state is known."""
    begun, found = set(), []
    for each in kept:
        name = each.row["source"]
        if each.rules.track is None or each.tracks is not None or name in begun:
            begun.add(name)
            found.append(each)
    return found
