"""Methods against exhaustive search, and laws that every range obeys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_runtime.calibrate.ranges.histogram import Histogram
from edge_runtime.calibrate.ranges.methods import LEVELS, METHODS, behind

every = pytest.mark.parametrize("name", sorted(METHODS))
floats = arrays.arrays(np.float32, st.integers(1, 80), elements=st.floats(-100, 100, width=32))


def seen(values) -> Histogram:
    histogram = Histogram()
    histogram.add(np.asarray(values, np.float32))
    return histogram


def error(values, low, high):
    step = (high - low) / (LEVELS - 1)
    return float(((np.round(np.clip(values, low, high) / step) * step - values) ** 2).mean())


@every
@given(values=floats)
def test_ranges_hold_zero_and_nothing_that_was_not_seen(name, values):
    low, high = METHODS[name](seen(values))
    assert min(values.min(), 0) <= low <= 0 <= high <= max(values.max(), 0)


@every
def test_one_sided_activations_stay_one_sided(name):
    values = np.abs(np.random.default_rng(0).normal(size=20_000))
    low, high = METHODS[name](seen(values))
    assert low == 0 and high > 2


@every
def test_zeros_alone_give_an_empty_range(name):
    assert METHODS[name](seen(np.zeros(10))) == (0.0, 0.0)


@pytest.mark.parametrize(("name", "most"), [("percentile", 30), ("entropy", 30), ("mse", 59)])
def test_a_rare_outlier_is_cut(name, most):
    """The squared distance of one value at 60 outweighs the rounding of the others until the step is large."""
    values = np.concatenate([np.random.default_rng(0).normal(size=100_000), [60.0]])
    assert METHODS[name](seen(values))[1] < most


def test_mse_is_no_worse_than_any_other_method():
    generator = np.random.default_rng(1)
    normal, count = generator.normal(size=50_000), 50_000
    for values in (normal, generator.laplace(size=count), np.maximum(normal, 0), generator.standard_t(2.5, size=count),
                   normal * 5 + 3):  # fmt: skip
        errors = {name: error(values, *METHODS[name](seen(values))) for name in METHODS}
        assert errors["mse"] <= 1.02 * min(errors.values()), errors


def test_uniform_values_are_not_cut():
    """Nothing is rare: every method keeps nearly the whole range."""
    values = np.random.default_rng(2).uniform(-1, 1, 100_000)
    for name in METHODS:
        low, high = METHODS[name](seen(values))
        assert low < -0.9 and high > 0.9, name


def test_behind_an_activation_function_only_what_it_hands_on_counts():
    """SiLU makes next to nothing of what is below -6: the range ends near there, and loses less behind it."""

    def silu(x):
        return x / (1 + np.exp(-np.clip(x, -60, 60)))

    values = np.random.default_rng(0).normal(-20, 25, 50_000)
    histogram = seen(values)
    low, high = behind(histogram, silu)
    assert histogram.low < -80 and -12 < low <= 0 and high > 40
    plain = METHODS["mse"](histogram)

    def loss(limits):
        step = (limits[1] - limits[0]) / (LEVELS - 1)
        return np.square(silu(np.round(np.clip(values, *limits) / step) * step) - silu(values)).mean()

    assert loss((low, high)) < loss(plain)
