"""Predictions by ratios: exact where the rule holds, wider where it does not, none where nothing leads there."""

from __future__ import annotations

import math

import pytest

from edge_runtime.planning import estimates
from edge_runtime.planning.estimates import Estimate, around, predicted

RULE = {(engine, mode): speed * clock
        for engine, speed in (("a", 10.0), ("b", 20.0), ("c", 50.0))
        for mode, clock in (("15W", 1.0), ("30W", 1.8), ("MAXN", 2.5))}  # fmt: skip


@pytest.mark.parametrize("place", RULE)
def test_a_table_that_follows_the_rule_is_predicted(place):
    found = predicted(RULE, *place)
    assert found.value == pytest.approx(RULE[place]) and found.low < RULE[place] < found.high


def test_the_figure_itself_is_not_looked_at():
    assert predicted({**RULE, ("a", "15W"): 1e6}, "a", "15W").value == pytest.approx(10.0)


def test_errors_in_the_table_make_the_interval_wider():
    noisy = {place: figure * (1.6 if place == ("b", "30W") else 1.0) for place, figure in RULE.items()}
    plain, wide = (predicted(table, "c", "MAXN") for table in (RULE, noisy))
    assert wide.high / wide.low > 1.2 * plain.high / plain.low
    assert estimates.deviation(noisy) > estimates.deviation(RULE) < estimates.USUAL


def test_where_no_ratio_leads():
    two = {("a", "15W"): 10.0, ("a", "30W"): 18.0, ("b", "15W"): 20.0}
    assert predicted(two, "b", "30W").value == pytest.approx(36.0)
    assert predicted(two, "b", "MAXN") is None and predicted(two, "c", "15W") is None
    spread = predicted(two, "b", "30W").high / 36.0
    assert math.log(spread) == pytest.approx(2.776 * estimates.USUAL), "nothing is known of the errors"


def test_sums_and_products_of_intervals():
    total = Estimate(10.0, 7.0, 13.0, ("x",)).plus(Estimate(5.0, 1.0, 9.0, ("x", "y")))
    assert (total.value, total.low, total.high) == (15.0, 10.0, 20.0) and total.assumed == ("x", "y")
    assert around(10.0, 0.03).times(2) == Estimate(20.0, pytest.approx(19.4), pytest.approx(20.6))
    assert around(10.0, 0.03, 8.0, 10.1) == Estimate(10.0, 8.0, pytest.approx(10.3))
