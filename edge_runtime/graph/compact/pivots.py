"""Writes fixed maps as sums of a few of them, so that only those few have to be kept.

A fixed channel that is one number everywhere becomes part of a bias. Where a convolution pads with zeros, such a
channel is not the same at the border. There one of them is kept as the channel of ones, and the others are multiples of
it. Behind a depthwise 3x3 convolution that pads, a map has nine values at most, at the corners, the sides and inside.
So nine maps can stand for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.compact.flow import Bools
from edge_runtime.graph.compact.units import Ints

Doubles = NDArray[np.float64]
CLOSE = 5e-7  # of the largest value of a map; float32 has 1.2e-7


@dataclass(frozen=True)
class Expressed:
    """Fixed channels as sums: map = share x maps of the pivots + shift.

    Attributes:
        fixed: numbers of the fixed channels, (n,) int64.
        pivots: numbers of those that are kept, (r,) int64.
        share: (n, r) float64.
        shift: (n,) float64; 0 where a constant cannot become a bias.
    """

    fixed: Ints
    pivots: Ints
    share: Doubles
    shift: Doubles

    def wanted(self, read: Bools) -> Bools:
        """Returns which channels must be there if these are read, (C,) bool."""
        wanted = read.copy()
        wanted[self.fixed] = False
        wanted[self.pivots[(self.share[read[self.fixed]] != 0).any(axis=0)]] = True
        return wanted


def express(values: NDArray[np.float32], fixed: Bools, shifts: bool) -> Expressed:
    """Finds the pivots.

    Args:
        values: (C, ...) of one run.
        fixed: which channels do not depend on the picture, (C,) bool.
        shifts: whether a constant needs no channel.
    """
    flat = values.reshape(len(values), -1)
    numbers = np.flatnonzero(fixed & np.isfinite(flat).all(axis=1))
    maps = flat[numbers].astype(np.float64)
    if not len(maps):
        return Expressed(numbers, numbers, np.zeros((0, 0)), np.zeros(0))
    chosen = _chosen(maps, shifts)
    base = np.vstack([np.ones((int(shifts), maps.shape[1])), maps[chosen]])
    found: Doubles = np.zeros((len(maps), len(base)))
    if len(base):
        found = np.asarray(np.linalg.lstsq(base.T, maps.T, rcond=None)[0].T, np.float64)
    size = np.abs(maps).max(axis=1, keepdims=True)
    found[np.abs(found) * np.abs(base).max(axis=1, initial=0) <= size * CLOSE / 100] = 0
    found[chosen] = np.eye(len(base))[int(shifts) :]
    shift: Doubles = found[:, 0] if shifts else np.zeros(len(maps))
    return Expressed(numbers, numbers[chosen], found[:, int(shifts) :], shift)


def _chosen(maps: Doubles, shifts: bool) -> List[int]:
    """The maps that are no sum of those before, the most different first."""
    chosen: List[int] = []
    rest = maps.copy()
    if shifts:
        rest -= rest.mean(axis=1, keepdims=True)
    limit = CLOSE * np.abs(maps).max(axis=1)
    while True:
        left = np.abs(rest).max(axis=1)
        left[chosen] = 0
        left[left <= limit] = 0
        if not left.any():
            return chosen
        chosen.append(int(left.argmax()))
        direction = rest[chosen[-1]] / np.linalg.norm(rest[chosen[-1]])
        for _ in range(2):  # the second time for what rounding left
            rest -= np.outer(rest @ direction, direction)
