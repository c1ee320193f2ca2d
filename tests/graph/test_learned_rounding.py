"""Learned rounding of weights: against every other choice, where that can be tried."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge_runtime.graph.learned_rounding import BLOCK, LearnedRounding


def covariance(groups, count, seed=0):
    """Of inputs that vary together, as neighbours in a picture do."""
    random = np.random.default_rng(seed)
    seen = random.normal(size=(groups, count, 4 * count)).cumsum(axis=1)
    return seen @ seen.swapaxes(1, 2) / seen.shape[2]


def error(weight, other, varies):
    apart = (other - weight).reshape(len(varies), -1, varies.shape[1]).astype(np.float64)
    return np.einsum("gfi,gij,gfj->", apart, varies, apart)


def steps(weight):
    return np.maximum(np.abs(weight).reshape(len(weight), -1).max(axis=1).reshape(-1, 1, 1, 1) / 127, 1e-12)


def nearest(weight):
    return np.round(weight / steps(weight)) * steps(weight)


@pytest.mark.parametrize(
    "groups,shape", [(1, (8, 16, 3, 3)), (4, (8, 2, 3, 3)), (6, (6, 1, 5, 5)), (1, (4, 300, 1, 1))]
)
def test_the_output_changes_less_than_by_rounding_to_the_nearest(groups, shape):
    assert shape[1] <= BLOCK or shape[1] > 2 * BLOCK, "one block, and several"
    weight = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    varies = covariance(groups, weight[0].size)
    found = LearnedRounding(varies).rounded(weight)
    assert found.dtype == np.float32 and found.shape == shape
    assert error(weight, found, varies) < 0.7 * error(weight, nearest(weight), varies)


def test_of_all_choices_it_is_among_the_best():
    weight = np.random.default_rng(2).normal(size=(1, 7, 1, 1)).astype(np.float32)
    varies = covariance(1, 7)
    down = np.floor(weight / steps(weight))
    free = [k for k in range(7) if np.abs(weight[0, k, 0, 0]) != np.abs(weight).max()]
    errors = []
    for up in itertools.product((0, 1), repeat=len(free)):
        other = nearest(weight)
        other[0, free, 0, 0] = (down[0, free, 0, 0] + up) * steps(weight)[0, 0, 0, 0]
        errors.append(error(weight, other, varies))
    found = error(weight, LearnedRounding(varies).rounded(weight), varies)
    assert found <= np.quantile(errors, 0.1)


def test_every_weight_is_on_the_grid_that_the_largest_sets():
    weight = np.random.default_rng(3).normal(size=(5, 12, 3, 3)).astype(np.float32)
    weight[2] = 0
    found = LearnedRounding(covariance(1, 108)).rounded(weight)
    on_grid = found / steps(weight)
    np.testing.assert_allclose(on_grid, np.round(on_grid), atol=1e-4)
    assert np.abs(on_grid).max() <= 127.001
    largest = np.abs(weight).reshape(5, -1).argmax(axis=1)
    np.testing.assert_allclose(
        found.reshape(5, -1)[range(5), largest], weight.reshape(5, -1)[range(5), largest], rtol=1e-6
    )
    assert not found[2].any()
    np.testing.assert_allclose(LearnedRounding(covariance(1, 108)).rounded(found), found, atol=1e-6)


@pytest.mark.parametrize("varies", [np.zeros((1, 6, 6)), np.eye(6)[None]], ids=["black", "apart"])
def test_inputs_that_do_not_vary_together_teach_nothing(varies):
    weight = np.random.default_rng(4).normal(size=(3, 6, 1, 1)).astype(np.float32)
    np.testing.assert_allclose(LearnedRounding(varies).rounded(weight), nearest(weight), rtol=1e-6)


def test_groups_are_rounded_as_if_they_were_alone():
    weight = np.random.default_rng(5).normal(size=(6, 2, 3, 3)).astype(np.float32)
    varies = np.repeat(covariance(1, 18), 3, axis=0)
    together = LearnedRounding(varies).rounded(weight)
    alone = [LearnedRounding(varies[:1]).rounded(weight[k : k + 2]) for k in (0, 2, 4)]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-6)
