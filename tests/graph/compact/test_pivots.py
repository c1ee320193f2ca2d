"""Fixed maps are written as sums of a few of them."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.graph.compact.pivots import express


def maps(rank: int, count: int, seed: int = 0) -> np.ndarray:
    numbers = np.random.default_rng(seed)
    return (numbers.standard_normal((count, rank)) @ numbers.standard_normal((rank, 30))).astype(np.float32)


@pytest.mark.parametrize("rank", [1, 3, 9])
@pytest.mark.parametrize("shifts", [False, True])
def test_as_many_maps_stay_as_are_independent(rank, shifts):
    values = maps(rank, 20) + (np.arange(20, dtype=np.float32)[:, None] if shifts else 0)
    fixed = np.arange(20) % 4 != 0
    found = express(values, fixed, shifts)
    assert found.fixed.tolist() == np.flatnonzero(fixed).tolist()
    assert len(found.pivots) == rank and fixed[found.pivots].all()
    again = found.share @ values[found.pivots] + found.shift[:, None]
    np.testing.assert_allclose(again, values[fixed], atol=2e-5)
    assert shifts or not found.shift.any()


def test_numbers_and_zeros_need_no_map():
    values = np.zeros((4, 30), np.float32)
    values[1:3] = [[2], [-7]]
    found = express(values, np.array([True, True, True, False]), True)
    assert not len(found.pivots)
    np.testing.assert_allclose(found.shift, [0, 2, -7], rtol=1e-12)
    alone = express(values, np.array([True, True, True, False]), False)
    assert alone.pivots.tolist() == [2] and not alone.share[0].any()


def test_what_is_read_says_what_is_wanted():
    values = np.zeros((4, 30), np.float32)
    values[1:3] = [[2], [-7]]
    found = express(values, np.array([True, True, True, False]), False)
    assert found.wanted(np.array([True, False, False, True])).tolist() == [False, False, False, True]
    assert found.wanted(np.array([False, True, False, False])).tolist() == [False, False, True, False]


def test_values_that_are_no_numbers_are_not_taken():
    values = maps(1, 3)
    values[1, 4] = np.inf
    assert express(values, np.ones(3, bool), False).fixed.tolist() == [0, 2]
