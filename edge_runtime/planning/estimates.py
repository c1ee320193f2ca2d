"""A figure with the interval that should hold it, and what of it was not measured.

An engine that was measured at one mode, and not at another, is predicted by the ratios of the engines that were
measured at both: FPS(engine, mode) = FPS(engine, other) * FPS(another, mode) / FPS(another, other). How well such a
ratio fits is seen in the figures that are there, wherever two engines were measured at the same two modes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log, sqrt
from statistics import mean
from typing import Dict, Iterator, Mapping, Optional, Tuple

USUAL = 0.10  # standard deviation of the logarithm of such a prediction, where nothing tells it yet
WEIGHT = 4  # so many seen errors weigh as much as the usual one
# 90 % of Student's distribution by degrees of freedom: few errors say little about the next one.
STUDENT = {4: 2.132, 5: 2.015, 6: 1.943, 8: 1.860, 10: 1.812, 15: 1.753, 20: 1.725, 30: 1.697}
Table = Mapping[Tuple[str, str], float]  # by row and column


@dataclass(frozen=True)
class Estimate:
    """A figure.

    Attributes:
        low, high: ends of the interval that should hold it in 9 of 10 cases.
        assumed: what is not measured, in words.
    """

    value: float
    low: float
    high: float
    assumed: Tuple[str, ...] = ()

    def to_dict(self) -> Dict[str, object]:
        """Returns plain data for JSON."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        return {**{name: round(end, 5) for name, end in ends.items()}, "assumed": list(self.assumed)}

    def times(self, factor: float) -> Estimate:
        """Returns the figure times a number that is not negative."""
        return replace(self, value=self.value * factor, low=self.low * factor, high=self.high * factor)

    def plus(self, other: Estimate) -> Estimate:
        """Returns the sum. The errors of the two are independent."""
        value = self.value + other.value
        below = sqrt((self.value - self.low) ** 2 + (other.value - other.low) ** 2)
        above = sqrt((self.high - self.value) ** 2 + (other.high - other.value) ** 2)
        return Estimate(value, value - below, value + above, tuple(dict.fromkeys((*self.assumed, *other.assumed))))


def around(value: float, part: float, low: Optional[float] = None, high: Optional[float] = None) -> Estimate:
    """A measured figure: the range of its windows, and at least this part of it to both sides."""
    low = value if low is None else low
    high = value if high is None else high
    return Estimate(value, min(low, value * (1 - part)), max(high, value * (1 + part)))


def predicted(table: Table, row: str, column: str) -> Optional[Estimate]:
    """Predicts a figure that is not in the table, or that is left out of it; None if no ratio leads to it.

    Args:
        table: figures above zero. The one to predict is not looked at.
    """
    known = {place: figure for place, figure in table.items() if place != (row, column)}
    values = [known[row, other] * known[another, column] / known[another, other]
              for another, other in _ways(known, row, column)]  # fmt: skip
    if not values:
        return None
    middle = exp(mean(map(log, values)))
    spread = exp(student(known) * deviation(known))
    return Estimate(middle, middle / spread, middle * spread)


def deviation(table: Table) -> float:
    """The standard deviation of the logarithm of a prediction, from the errors in the table."""
    errors = _errors(table)
    return sqrt((WEIGHT * USUAL**2 + sum(error**2 for error in errors)) / (WEIGHT + len(errors)))


def student(table: Table) -> float:
    """How many deviations hold 9 of 10 predictions."""
    degrees = WEIGHT + len(_errors(table))
    return STUDENT[max(known for known in STUDENT if known <= degrees)]


def _ways(table: Table, row: str, column: str) -> Iterator[Tuple[str, str]]:
    """Another row and another column, so that the three other corners are known."""
    for another, other in table:
        if another != row and other != column and (row, other) in table and (another, column) in table:
            yield another, other


def _errors(table: Table) -> Tuple[float, ...]:
    """The logarithms of measured over predicted, for all that can be predicted from the others."""
    found = []
    for row, column in table:
        values = [table[row, other] * table[another, column] / table[another, other]
                  for another, other in _ways(table, row, column)]  # fmt: skip
        if values:
            found.append(log(table[row, column]) - mean(map(log, values)))
    return tuple(found)
