"""Methods to choose the range of an activation from its histogram.

All return (low, high) with low <= 0 <= high, because an 8-bit scale must represent zero exactly. Values outside the
range are clipped, values inside are rounded to one of 256 steps. A wide range rounds coarsely; a narrow one clips rare
values.
"""

from __future__ import annotations

from typing import Callable, Dict, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.calibrate.ranges.histogram import HALF, Histogram

Range = Tuple[float, float]
Floats = NDArray[np.float64]
Bins = Tuple[Floats, Floats]  # counts, middles
PERCENTILE = 99.99
LEVELS = 256
CANDIDATES = 64  # thresholds tried by mse and entropy
FACTORS = np.geomspace(1.0, 0.02, 28)
ROUNDS = 3
KL_BINS = 2048  # as in TensorRT; finer bins would favour ranges that are too narrow


def minmax(histogram: Histogram) -> Range:
    """The range of all values."""
    return min(histogram.low, 0.0), max(histogram.high, 0.0)


def percentile(histogram: Histogram) -> Range:
    """The range of all values except the outermost 0.01 %, half of them at each end."""
    part = np.cumsum(histogram.counts) / histogram.total
    tail = (100 - PERCENTILE) / 200
    first, last = np.searchsorted(part, [tail, 1 - tail])
    edges = (np.array([first, last + 1]) - HALF) * histogram.width
    low, high = minmax(histogram)
    return max(low, min(float(edges[0]), 0.0)), min(high, max(float(edges[1]), 0.0))


def mse(histogram: Histogram) -> Range:
    """The range whose rounding and clipping together have the least squared error."""
    return _best(histogram, _filled, _squared_error)


def entropy(histogram: Histogram) -> Range:
    """The range that loses the least information: the one with the smallest Kullback-Leibler divergence.

    Migacz, 8-bit inference with TensorRT (GTC 2017), here for an asymmetric range.
    """
    return _best(histogram, _coarse, _divergence)


def behind(histogram: Histogram, function: Callable[[Floats], Floats]) -> Range:
    """The range with the least squared error after an element-wise function, such as an activation function.

    SiLU turns all values below -6 into almost zero. A range that reaches to -157 wastes most of its steps there.

    Args:
        function: takes and returns (n,) float64.
    """
    counts, centres = _filled(histogram)
    wanted, (low, high) = function(centres), minmax(histogram)

    def cost(low: float, high: float) -> float:
        return float((counts * (function(_rounded(centres, low, high)) - wanted) ** 2).sum()) if low < high else np.inf

    for _ in range(ROUNDS):  # one end, then the other, until nothing changes
        before = low, high
        low = min((low * f for f in FACTORS), key=lambda end: cost(end, high))
        high = min((high * f for f in FACTORS), key=lambda end: cost(low, end))
        if before == (low, high):
            break
    return float(low), float(high)


METHODS: Dict[str, Callable[[Histogram], Range]] = {
    "entropy": entropy,
    "minmax": minmax,
    "percentile": percentile,
    "mse": mse,
}


def _best(histogram: Histogram, see: Callable[[Histogram], Bins], cost: Callable[[Bins, float, float], float]) -> Range:
    """Shrinks both ends together, then only the larger one: a skewed activation needs a cut at one end only."""
    low, high = minmax(histogram)
    if low == high:
        return low, high
    factors = np.linspace(1.0 / CANDIDATES, 1.0, CANDIDATES)
    tried = [(float(low * f), float(high * f)) for f in factors]
    tried += [(low, float(high * f)) if high > -low else (float(low * f), high) for f in factors]
    bins = see(histogram)
    costs = [cost(bins, *candidate) for candidate in tried]
    return tried[int(np.argmin(costs))]


def _squared_error(bins: Bins, low: float, high: float) -> float:
    """Returns the squared error of rounding.

    It is the sum over the bins of the count times the squared distance from the bin's middle to the nearest step.
    """
    counts, centres = bins
    return float((counts * (_rounded(centres, low, high) - centres) ** 2).sum())


def _rounded(values: Floats, low: float, high: float) -> Floats:
    step = (high - low) / (LEVELS - 1)
    rounded: Floats = np.round(np.clip(values, low, high) / step) * step
    return rounded


def _divergence(bins: Bins, low: float, high: float) -> float:
    """Returns the KL divergence of the clipped distribution from its quantised copy.

    The copy has LEVELS steps. Each step is spread over the bins that it came from.
    """
    counts, centres = bins
    inside = (centres >= low) & (centres <= high)
    if not inside.any():
        return float("inf")
    reference = counts[inside].copy()
    reference[0] += counts[centres < low].sum()  # clipped values count in the outermost bins
    reference[-1] += counts[centres > high].sum()
    steps = np.round((centres[inside] - low) / ((high - low) / (LEVELS - 1))).astype(int)
    sums, shared = np.bincount(steps, counts[inside]), np.bincount(steps)
    model = (sums / np.maximum(shared, 1))[steps]
    reference, model = reference / reference.sum(), model / model.sum()
    return float((reference * np.log(reference / model)).sum())


def _filled(histogram: Histogram) -> Bins:
    """Returns the counts and middles of the bins that are not empty, (n,) each."""
    filled = np.flatnonzero(histogram.counts)
    return histogram.counts[filled].astype(np.float64), histogram.centres[filled]


def _coarse(histogram: Histogram) -> Bins:
    """Returns the counts and middles of KL_BINS bins over all values, without the empty bins.

    The bin of zero counts at most as much as the larger of its neighbours, because every range represents zero exactly.
    """
    low, high = minmax(histogram)
    filled = np.flatnonzero(histogram.counts)
    place = np.clip((histogram.centres[filled] - low) / (high - low) * KL_BINS, 0, KL_BINS - 1).astype(int)
    counts = np.bincount(place, histogram.counts[filled].astype(np.float64), KL_BINS)
    zero = min(int(-low / (high - low) * KL_BINS), KL_BINS - 1)
    beside = [counts[k] for k in (zero - 1, zero + 1) if 0 <= k < KL_BINS]
    counts[zero] = min(counts[zero], max(beside))
    some = np.flatnonzero(counts)
    return counts[some].astype(np.float64), low + (some + 0.5) * (high - low) / KL_BINS
