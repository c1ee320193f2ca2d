"""Chooses for each weight of a convolution whether it is rounded up or down, by what its filters see.

Frantar et al. 2022, GPTQ, arXiv 2210.17323: the weights of a filter are rounded one after the other, and those that
follow take over the error of each, as far as their inputs vary together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
DAMPING = 0.1  # part of the mean variance, added to each: few places of few pictures were seen
BLOCK = 64  # weights of a filter whose errors are passed on together


class LearnedRounding:
    """Rounds the weights of convolutions whose filters see the same."""

    def __init__(self, covariance: Doubles) -> None:
        """Args: covariance: (groups, n, n) of the n inputs that a filter multiplies at one place.

        Their means do not count, because the bias takes up a constant error.
        """
        self._order = np.argsort(-np.einsum("gnn->n", covariance))  # those with much to say first
        self._upper = _factor(covariance[:, self._order][:, :, self._order])

    def rounded(self, weight: Floats) -> Floats:
        """Returns the weights on the grid of 8 bits of their channel. The largest of each channel stay as they are.

        Args:
            weight: (out, in per group, ...) of a Conv, finite.
        """
        filters = weight.reshape(len(self._upper), -1, len(self._order)).astype(np.float64)[:, :, self._order]
        largest = np.abs(filters).max(axis=2, keepdims=True)
        scales = np.maximum(largest / 127, 1e-12)
        found = np.empty_like(filters)
        found[:, :, self._order] = _steps(filters / scales, np.abs(filters) == largest, self._upper) * scales
        return found.reshape(weight.shape).astype(np.float32)


def _factor(covariance: Doubles) -> Doubles:
    """The upper triangular matrix (groups, n, n) whose transpose times itself is the inverse of the covariance."""
    count = covariance.shape[1]
    damping = DAMPING * np.einsum("gnn->g", covariance) / count + 1e-30
    backwards = (covariance + damping[:, None, None] * np.eye(count))[:, ::-1, ::-1]
    return _inverse(np.linalg.cholesky(backwards)[:, ::-1, ::-1])


def _inverse(upper: Doubles) -> Doubles:
    """The inverse of upper triangular matrices, (groups, n, n). By halves: most of the work is multiplications."""
    half = upper.shape[1] // 2
    if half < BLOCK:
        return np.linalg.inv(upper).astype(np.float64, copy=False)
    first, last = _inverse(upper[:, :half, :half]), _inverse(upper[:, half:, half:])
    between = -first @ upper[:, :half, half:] @ last
    return np.block([[first, between], [np.zeros_like(between).swapaxes(1, 2), last]])


def _steps(left: Doubles, fixed: NDArray[np.bool_], upper: Doubles) -> Doubles:
    """Rounds the weights (groups, filters, n), given in steps. What is `fixed` keeps its value."""
    exact, steps = left, np.empty_like(left)
    left = left.copy()
    for first in range(0, left.shape[2], BLOCK):
        last = min(first + BLOCK, left.shape[2])
        errors = np.empty((*left.shape[:2], last - first))
        for place in range(first, last):
            column = left[:, :, place]
            steps[:, :, place] = np.where(fixed[:, :, place], exact[:, :, place], np.clip(np.round(column), -127, 127))
            error: Doubles = (column - steps[:, :, place]) / upper[:, None, place, place]
            left[:, :, place + 1 : last] -= error[:, :, None] * upper[:, None, place, place + 1 : last]
            errors[:, :, place - first] = error
        left[:, :, last:] -= errors @ upper[:, first:last, last:]
    return steps
