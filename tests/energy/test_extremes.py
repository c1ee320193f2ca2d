"""What is counted between two states of a board."""

from __future__ import annotations

from edge_runtime.energy.extremes import Extremes, events
from edge_runtime.jetson.probe import State


def test_events_are_those_between():
    before = State(throttle={"over_current": 3, "cooling": 2})
    after = State(temperatures_c={"gpu": 60.0}, throttle={"over_current": 5, "cooling": 1, "under_voltage": 4})
    assert events(before, after) == {"over_current": 2, "cooling": 1, "under_voltage": 0}
    found = Extremes([State(temperatures_c={"gpu": 70.0}), after]).to_dict()
    assert found["temperatures_c"] == {"gpu": 70.0}
    between = State(throttle={"over_current": 4, "cooling": 3})
    assert Extremes([before, between, after]).to_dict()["throttle"]["cooling"] == 3, "it was held back for a while"
    assert Extremes().to_dict() == {"temperatures_c": {}, "throttle": {}}
