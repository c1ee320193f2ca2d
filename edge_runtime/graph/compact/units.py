"""Channels of different tensors that can only be removed together form one unit."""

from __future__ import annotations

from typing import List

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Units:
    """Numbers for channels. Units that are tied become one: a forest, where the root stands for all."""

    def __init__(self) -> None:
        self._above: List[int] = []

    def new(self, count: int) -> Ints:
        """Returns new units, (count,) int64."""
        first = len(self._above)
        self._above.extend(range(first, first + count))
        return np.arange(first, first + count)

    def tie(self, first: Ints, second: Ints) -> None:
        """Makes each unit of the first, (n,), one with that of the second, (n,)."""
        for one, other in zip(first.tolist(), second.tolist()):
            self._above[self._root(one)] = self._root(other)

    def roots(self) -> Ints:
        """Returns the root of each unit, (units,) int64."""
        return np.array([self._root(unit) for unit in range(len(self._above))], np.int64)

    def _root(self, unit: int) -> int:
        above = self._above
        while above[unit] != unit:
            above[unit] = above[above[unit]]
            unit = above[unit]
        return unit
