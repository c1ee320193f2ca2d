"""A figure with the interval that should hold it, and what of it was not measured.

An engine that was measured at one mode, and not at another, is predicted by the ratios of the engines that were
measured at both: FPS(engine, mode) = FPS(engine, other) * FPS(another, mode) / FPS(another, other). Modes that differ
little count more. How well such ratios fit is seen in the figures that are there: each one that the others lead to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log, sqrt
from typing import Dict, Mapping, Optional, Tuple

USUAL = 0.10  # standard deviation of the logarithm of such a prediction, where nothing tells it yet
WEIGHT = 4  # so many seen errors weigh as much as the usual one
NEAR = 0.1  # modes whose figures differ by this part count half as much as equal ones
# 95 % of Student's distribution by degrees of freedom: few errors say little about the next one. Errors have longer
# tails than it, so 9 of 10 are inside (tools/reference/plan.md).
STUDENT = {4: 2.776, 5: 2.571, 6: 2.447, 8: 2.306, 10: 2.228, 15: 2.131, 20: 2.086, 30: 2.042}
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
    middle = _middle(known, row, column)
    if middle is None:
        return None
    spread = student(known) * deviation(known)
    return Estimate(exp(middle), exp(middle - spread), exp(middle + spread))


def deviation(table: Table) -> float:
    """The standard deviation of the logarithm of a prediction, from the errors in the table."""
    errors = _errors(table)
    return sqrt((WEIGHT * USUAL**2 + sum(error**2 for error in errors)) / (WEIGHT + len(errors)))


def student(table: Table) -> float:
    """How many deviations hold 9 of 10 predictions."""
    degrees = WEIGHT + len(_errors(table))
    return STUDENT[max(known for known in STUDENT if known <= degrees)]


def _middle(table: Table, row: str, column: str) -> Optional[float]:
    """The logarithm of a figure by the ratios of the others; None if none leads to it."""
    whole = weights = 0.0
    for another, other in table:
        if another != row and other != column and (row, other) in table and (another, column) in table:
            ratio = log(table[another, column] / table[another, other])
            weight = 1 / (abs(ratio) + NEAR)
            whole, weights = whole + weight * (log(table[row, other]) + ratio), weights + weight
    return whole / weights if weights else None


def _errors(table: Table) -> Tuple[float, ...]:
    """The logarithms of measured over predicted, for all that can be predicted from the others."""
    found = ((log(figure), _middle(table, *place)) for place, figure in table.items())
    return tuple(figure - middle for figure, middle in found if middle is not None)
