"""The integral against closed forms, within 0.1 %, and what gaps do to it."""

from __future__ import annotations

from math import cos, pi, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.energy.joules import Energy

SECONDS, RATE = 30.0, 5.0
TIMES = [number / RATE for number in range(int(SECONDS * RATE) + 1)]


@pytest.mark.parametrize(
    ("watts", "joules"),
    [
        (lambda t: 13.65, 13.65 * SECONDS),
        (lambda t: 2.0 * t, SECONDS**2),
        (lambda t: 10 + 5 * sin(2 * pi * t / 7), 10 * SECONDS + 5 * 7 / (2 * pi) * (1 - cos(2 * pi * SECONDS / 7))),
    ],
    ids=["constant", "ramp", "sine"],
)
def test_closed_forms(watts, joules):
    energy = Energy()
    for time_s in TIMES:
        energy.add(100.0 + time_s, watts(time_s))
    assert energy.joules == pytest.approx(joules, rel=1e-3)
    assert energy.coverage == pytest.approx(1.0) and energy.gaps == 0 and energy.samples == len(TIMES)
    assert energy.mean_w == pytest.approx(joules / SECONDS, rel=1e-3)


@pytest.mark.parametrize("failed", [True, False], ids=["readings fail", "nobody reads"])
def test_over_a_gap_nothing_is_guessed(failed):
    """Ten seconds of thirty are not seen: a third is missing from the joules, none from the mean."""
    energy = Energy()
    for time_s in TIMES:
        seen = not 10.0 < time_s < 20.0
        if seen or failed:
            energy.add(time_s, 7.0 if seen else None)
    assert energy.mean_w == pytest.approx(7.0)
    assert energy.joules == pytest.approx(7.0 * 20.0, rel=1e-3)
    assert energy.coverage == pytest.approx(2 / 3, rel=1e-3) and energy.elapsed_s == pytest.approx(SECONDS)
    assert energy.gaps == (49 if failed else 1)


def test_nothing_seen_is_no_figure():
    energy = Energy()
    assert energy.mean_w is None and energy.coverage == 0.0
    energy.add(1.0, 5.0)
    assert energy.mean_w is None and energy.joules == 0.0


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.one_of(st.none(), st.floats(0, 100))), min_size=1, max_size=40))
def test_the_mean_lies_among_the_samples(steps):
    energy, time_s = Energy(), 0.0
    for pause, watts in steps:
        time_s += pause
        energy.add(time_s, watts)
    known = [watts for _, watts in steps if watts is not None]
    assert energy.samples == len(known) and 0 <= energy.coverage <= 1 + 1e-9
    if energy.mean_w is not None:
        assert min(known) - 1e-9 <= energy.mean_w <= max(known) + 1e-9
