"""A histogram of the values of one activation. Its memory does not grow with the number of images."""

from __future__ import annotations

from math import frexp
from typing import Any, Dict

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SpecError
from edge_runtime.native import ops

HALF = 4096  # bins on either side of zero
FINEST = 2.0**-40  # width of the bins if all values are zero


class Histogram:
    """Counts of values in bins. The width of a bin is a power of two, and zero is the edge of two bins.

    When a value falls outside, neighbouring bins are merged and the width doubles. The width depends only on the
    largest magnitude. So the result does not depend on the order of the values, on how they are divided into runs, or
    on how partial histograms are merged.

    Attributes:
        counts: (2 * HALF,) int64; bin i holds values in [(i - HALF) * width, (i - HALF + 1) * width).
        width: width of a bin.
        low, high: exact smallest and largest value.
    """

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros(2 * HALF, np.int64)
        self.width = FINEST
        self.low, self.high = float("inf"), float("-inf")

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    @property
    def centres(self) -> NDArray[np.float64]:
        """Middle of every bin, (2 * HALF,) float64."""
        middles: NDArray[np.float64] = (np.arange(-HALF, HALF, dtype=np.float64) + 0.5) * self.width
        return middles

    def add(self, values: NDArray[np.float32]) -> None:
        """Counts every value of an array of any shape.

        Raises:
            SpecError: some values are not finite.
        """
        flat = np.ascontiguousarray(values, np.float32).reshape(-1)
        if not flat.size:
            return
        low, high, bad = ops.extremes(flat)
        if bad:
            raise SpecError(f"{bad} of {flat.size} values are not finite", hint="the network overflows on this image")
        self._reach(max(-low, high))
        self.low, self.high = min(self.low, low), max(self.high, high)
        ops.histogram(flat, self.width, self.counts)

    def merge(self, other: Histogram) -> None:
        """Adds the counts of another histogram."""
        if other.low > other.high:
            return
        self._reach(max(-other.low, other.high))
        counts, width = other.counts, other.width
        while width < self.width:
            counts, width = _halved(counts), 2 * width
        self.counts += counts
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def _reach(self, magnitude: float) -> None:
        """Makes the bins wider until they hold values of that magnitude."""
        wanted = max(FINEST, 2.0 ** frexp(magnitude / HALF)[1]) if magnitude else FINEST
        while self.width < wanted:
            self.counts, self.width = _halved(self.counts), 2 * self.width

    def state(self) -> Dict[str, Any]:
        """Returns arrays to save; `restored` reads them."""
        return {"counts": self.counts, "about": np.array([self.width, self.low, self.high])}

    @classmethod
    def restored(cls, state: Dict[str, Any]) -> Histogram:
        """Returns the histogram that gave this state."""
        histogram = cls()
        histogram.counts = np.array(state["counts"], np.int64)
        histogram.width, histogram.low, histogram.high = (float(value) for value in state["about"])
        return histogram


def _halved(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the same counts in bins of twice the width, which reach twice as far; (2 * HALF,) int64."""
    merged = np.zeros_like(counts)
    merged[HALF // 2 : HALF // 2 + HALF] = counts.reshape(-1, 2).sum(axis=1)
    return merged
