"""What may be published: each reason against it, alone, and nothing where nothing speaks against it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from edge_runtime.benchmark import validity
from edge_runtime.benchmark.validity import Window, busy_before, faults, remarks
from edge_runtime.energy.joules import Energy
from edge_runtime.jetson.probe import State


def energy(watts: float = 10.0, seconds: int = 30, missing: int = 0) -> Energy:
    found = Energy()
    for number in range(5 * seconds + 1):
        found.add(number / 5, None if number < missing else watts)
    return found


STATES = [State({"gpu_mhz": 918.0, "cpu_max_mhz": 1500.0}, {"gpu": 60.0, "cpu": 55.0}, 97.0, {"over_current": 4})] * 30
GOOD = Window(30.0, 50.0, {"p50": 20.0}, {}, energy(), {"VDD_IN": 10.0}, STATES)


def changed(index: int, **changes: object) -> list:
    """The states, of which those from an index on are others."""
    return [*STATES[:index], *[replace(state, **changes) for state in STATES[index:]]]


def test_a_sound_window_has_no_fault():
    assert faults(GOOD) == [] and remarks(GOOD) == []
    assert faults(replace(GOOD, energy=None, states=())) == [], "a laptop without sensors"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seconds": 12.0}, r"a window of 12\.0 s, at least 30 s are needed"),
        ({"fps": None}, "no frame was seen"),
        ({"energy": energy(missing=20)}, "power was measured for 87% of the time, with 20 gaps"),
        ({"others": 0.2}, "other processes used 20% of the cores"),
        ({"intruders": (17, 23)}, "other processes were on the GPU: 17, 23"),
        ({"states": changed(20, throttle={"over_current": 6})}, "throttled: over-current 2"),
        ({"states": changed(25, throttle={"over_current": 4, "cooling": 1})}, "throttled: cooling"),
        ({"states": changed(15, throttle={"over_current": 4, "cooling": 1})[:20]}, "throttled: cooling"),
        ({"states": changed(15, clocks={"gpu_mhz": 612.0})}, "gpu_mhz went from 918 to 612"),
        ({"states": changed(15, clocks={"cpu_max_mhz": 1100.0})}, "cpu_max_mhz went from 1500 to 1100"),
        ({"states": changed(15, temperatures_c={"gpu": 66.5})}, "temperature went from 60.0 to 66.5"),
    ],
)
def test_each_reason_alone(changes, reason):
    found = faults(replace(GOOD, **changes))
    assert len(found) == 1 and re.match(reason, found[0])


def test_peaks_of_a_millisecond_are_a_remark_until_they_are_many():
    """Orin Nano in MAXN_SUPER has 1 to 30 a second."""
    some = [State(throttle={"over_current_peak": 10 * second}) for second in range(31)]
    assert faults(replace(GOOD, states=some)) == []
    assert remarks(replace(GOOD, states=some)) == ["10.0 over-current peaks a second"]
    many = [State(throttle={"over_current_peak": 50 * second}) for second in range(31)]
    assert faults(replace(GOOD, states=many)) == ["throttled: 50 over-current peaks a second"]


def test_the_bounds_are_where_they_are_said_to_be():
    for drift, bad in ((0.04, 0), (0.06, 1)):
        states = changed(15, clocks={"gpu_mhz": 918.0 * (1 - drift), "cpu_max_mhz": 1500.0})
        assert len(faults(replace(GOOD, states=states))) == bad
    assert not faults(replace(GOOD, others=validity.OTHERS)) and faults(replace(GOOD, others=validity.OTHERS + 0.01))


def test_a_gpu_that_was_busy_before():
    assert busy_before([]) is None and busy_before([State(gpu_load=3.0)]) is None
    assert busy_before([State(gpu_load=40.0)] * 3) == "the GPU was 40 % busy before the measurement"
