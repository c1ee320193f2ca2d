"""The detectors of a run, which take turns: which one runs now, and how long an engine may take."""

from __future__ import annotations

from collections import deque
from time import perf_counter
from typing import Deque, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import Backend
from edge_runtime.detect.detector import Detector, warm_up
from edge_runtime.errors import UsageError
from edge_runtime.types import Images


class Turns:
    """The detectors are reserved for the run from `claim` to `release`.

    Args:
        detector: the first one.
        warmup: number of runs of each on an empty image.

    Attributes:
        detector: the one that runs now.
        capacity: the most frames in work at once. No later detector may need more.
        slowest_s: the longest time for which an engine was waited for; 0.0 if none has run.
    """

    def __init__(self, detector: Detector, warmup: int) -> None:
        self.detector, self._warmup = detector, warmup
        self.capacity = self.backend.slots * self.backend.batch
        self.slowest_s = 0.0
        self._begun_s: Dict[int, float] = {}  # what `enqueue` took, by slot
        self._next: Deque[Detector] = deque(maxlen=1)
        self._claimed: List[Detector] = []

    @property
    def backend(self) -> Backend:
        """Of the detector that runs now."""
        return self.detector.backend

    @property
    def ending(self) -> bool:
        """Whether another detector waits until no frame is in work."""
        return bool(self._next)

    def claim(self, detector: Optional[Detector] = None) -> None:
        """Reserves a detector, the first one by default, for the rest of the run.

        Raises:
            UsageError: another pipeline runs over it.
        """
        detector = detector or self.detector
        if detector not in self._claimed:
            detector.claim()
            self._claimed.append(detector)

    def release(self) -> None:
        """Ends the reservation of the detectors. It may be called more than once."""
        while self._claimed:
            self._claimed.pop().release()

    def warm_up(self, detector: Optional[Detector] = None) -> None:
        """Runs a detector, the first one by default, on an empty image."""
        began_s = perf_counter()
        warm_up(detector or self.detector, self._warmup)
        if self._warmup:
            self._took((perf_counter() - began_s) / self._warmup)

    def swap(self, detector: Detector) -> None:
        """See `Pipeline.swap`."""
        self.check_swap(detector)
        if detector not in self._claimed:  # the other detectors are warm, and one of them runs now
            self.claim(detector)
            self.warm_up(detector)
        self._next.append(detector)

    def check_swap(self, detector: Detector) -> None:
        """See `Pipeline.check_swap`."""
        if detector.model.spec.labels != self.detector.model.spec.labels:
            raise UsageError("engines of different classes cannot take turns", hint="give engines of one data set")
        if detector.backend.slots * detector.backend.batch > self.capacity:
            raise UsageError("an engine of a bigger batch cannot take over", hint="begin with the biggest batch")

    def take_over(self) -> None:
        """The detector that waits runs from now on. No frame is in work."""
        self.detector = self._next.pop()

    def enqueue(self, slot: int, images: Images) -> None:
        """See `Backend.enqueue`."""
        began_s = perf_counter()
        self.backend.enqueue(slot, images)
        self._begun_s[slot] = perf_counter() - began_s

    def wait(self, slot: int) -> Tuple[NDArray[np.float32], NDArray[np.int32]]:
        """See `Backend.wait`: boxes (B, max_det, 6) and counts (B,)."""
        began_s = perf_counter()
        found = self.backend.wait(slot)
        self._took(self._begun_s[slot] + perf_counter() - began_s)
        return found

    def _took(self, seconds: float) -> None:
        self.slowest_s = max(self.slowest_s, seconds)
