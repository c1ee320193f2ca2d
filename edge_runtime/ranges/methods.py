"""Ways to choose the range of an activation from its histogram.

All return (low, high) with low <= 0 <= high, as an 8-bit scale with an exact zero needs it. What lies outside is
clipped, what lies inside is rounded to one of 256 steps: a wide range rounds coarsely, a narrow one clips what is rare.
"""

from __future__ import annotations

from typing import Callable, Dict, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.ranges.histogram import HALF, Histogram

Range = Tuple[float, float]
Floats = NDArray[np.float64]
PERCENTILE = 99.99
LEVELS = 256
CANDIDATES = 64  # thresholds tried by mse and entropy


def minmax(histogram: Histogram) -> Range:
    """Everything that was seen."""
    return min(histogram.low, 0.0), max(histogram.high, 0.0)


def percentile(histogram: Histogram) -> Range:
    """All but the outermost 0.01 %, half of it at either end."""
    part = np.cumsum(histogram.counts) / histogram.total
    tail = (100 - PERCENTILE) / 200
    first, last = np.searchsorted(part, [tail, 1 - tail])
    edges = (np.array([first, last + 1]) - HALF) * histogram.width
    low, high = minmax(histogram)
    return max(low, min(float(edges[0]), 0.0)), min(high, max(float(edges[1]), 0.0))


def mse(histogram: Histogram) -> Range:
    """The range whose rounding and clipping together cost the least squared error."""
    return _best(histogram, _squared_error)


def entropy(histogram: Histogram) -> Range:
    """The range that loses the least information: smallest Kullback-Leibler divergence of the quantised distribution.

    Migacz, 8-bit inference with TensorRT (GTC 2017), for an asymmetric range.
    """
    return _best(histogram, _divergence)


METHODS: Dict[str, Callable[[Histogram], Range]] = {
    "entropy": entropy,
    "minmax": minmax,
    "percentile": percentile,
    "mse": mse,
}


def _best(histogram: Histogram, cost: Callable[[Histogram, float, float], float]) -> Range:
    """Shrinks both ends together, then the larger one alone: skewed activations need only that one cut."""
    low, high = minmax(histogram)
    if low == high:
        return low, high
    factors = np.linspace(1.0 / CANDIDATES, 1.0, CANDIDATES)
    tried = [(float(low * f), float(high * f)) for f in factors]
    tried += [(low, float(high * f)) if high > -low else (float(low * f), high) for f in factors]
    costs = [cost(histogram, *candidate) for candidate in tried]
    return tried[int(np.argmin(costs))]


def _squared_error(histogram: Histogram, low: float, high: float) -> float:
    """Sum over the bins of count times the squared distance from its middle to the nearest of the steps."""
    filled = np.flatnonzero(histogram.counts)
    centres, step = histogram.centres[filled], (high - low) / (LEVELS - 1)
    error = np.round(np.clip(centres, low, high) / step) * step - centres
    return float((histogram.counts[filled] * error**2).sum())


def _divergence(histogram: Histogram, low: float, high: float) -> float:
    """KL divergence of the clipped distribution from its copy in LEVELS steps, spread over the bins it came from."""
    filled = np.flatnonzero(histogram.counts)
    counts, centres = histogram.counts[filled].astype(np.float64), histogram.centres[filled]
    inside = (centres >= low) & (centres <= high)
    if not inside.any():
        return float("inf")
    reference = counts[inside].copy()
    reference[0] += counts[centres < low].sum()  # what is clipped lands in the outermost bins
    reference[-1] += counts[centres > high].sum()
    step = np.round((centres[inside] - low) / ((high - low) / (LEVELS - 1))).astype(int)
    sums, bins = np.bincount(step, counts[inside]), np.bincount(step)
    model = (sums / np.maximum(bins, 1))[step]
    reference, model = reference / reference.sum(), model / model.sum()
    return float((reference * np.log(reference / model)).sum())
