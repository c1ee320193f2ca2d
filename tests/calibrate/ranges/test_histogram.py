"""Histograms: exact counts, whatever the order and however the values are divided."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_runtime.calibrate.ranges.histogram import HALF, Histogram
from edge_runtime.errors import SpecError
from edge_runtime.native import _core

floats = arrays.arrays(np.float32, st.integers(1, 60), elements=st.floats(-1e6, 1e6, width=32))


def twin(values: np.ndarray, width: float) -> np.ndarray:
    places = np.floor(values.astype(np.float64) / width).astype(int) + HALF
    return np.bincount(places, minlength=2 * HALF)


def seen(*parts: np.ndarray) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(part)
    return histogram


@given(floats)
def test_counts_equal_numpys(values):
    histogram = seen(values)
    np.testing.assert_array_equal(histogram.counts, twin(values, histogram.width))
    assert (histogram.low, histogram.high) == (values.min(), values.max()) and histogram.total == len(values)
    largest = float(np.abs(values).max())
    if largest:
        assert largest < HALF * histogram.width <= max(4 * largest, HALF * 2.0**-39), "the bins are not too wide"


@given(floats, floats, floats)
def test_any_order_and_division_give_the_same(a, b, c):
    one, other, merged = seen(a, b, c), seen(np.concatenate([c, a]), b), seen(b)
    merged.merge(seen(c, a))
    merged.merge(Histogram())
    restored = Histogram.restored(one.state())
    for histogram in (other, merged, restored):
        np.testing.assert_array_equal(histogram.counts, one.counts)
        assert (histogram.width, histogram.low, histogram.high) == (one.width, one.low, one.high)


def test_values_on_edges_and_zeros():
    histogram = seen(np.zeros(5, np.float32))
    assert histogram.counts[HALF] == 5 and histogram.total == 5
    for power in (-8.0, 8.0, -1.0, 1.0, 2.0**-30):
        assert seen(np.array([power], np.float32)).total == 1
    assert seen(np.zeros(0, np.float32)).total == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad):
    with pytest.raises(SpecError, match="1 of 3 values are not finite"):
        seen(np.array([1.0, bad, 2.0], np.float32))


def test_the_core_refuses_what_would_crash():
    for arguments in ((np.zeros(4), 1.0, np.zeros(8, np.int64)), (np.zeros(4, np.float32), 1.0, np.zeros(8, np.int32)),
                      (np.zeros((2, 2), np.float32), 1.0, np.zeros(8, np.int64))):  # fmt: skip
        with pytest.raises(ValueError):
            _core.histogram(*arguments)
