"""Highest temperatures and throttle events of a span of time, in constant memory."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Optional

from edge_runtime.jetson.probe import State


class Extremes:
    """Collects the extremes, state by state."""

    def __init__(self, states: Iterable[State] = ()) -> None:
        self._hottest: Dict[str, float] = {}
        self._first: Optional[State] = None
        self._last = State()
        self._cooling = 0
        for state in states:
            self.add(state)

    def add(self, state: State) -> None:
        """Adds a state, which must be later than those before."""
        self._first = self._first or state
        self._last = state
        self._cooling = max(self._cooling, state.throttle.get("cooling", 0))
        for name, degrees_c in state.temperatures_c.items():
            self._hottest[name] = max(degrees_c, self._hottest.get(name, degrees_c))

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON: `temperatures_c` by zone, `throttle` by cause."""
        throttle = events(self._first, self._last) if self._first else {}
        if "cooling" in throttle:  # this one is a present value: what was limited in between counts too
            throttle["cooling"] = self._cooling
        return {"temperatures_c": dict(sorted(self._hottest.items())), "throttle": throttle}


def events(before: State, after: State) -> Dict[str, int]:
    """Events that were counted between two states. `cooling` is a number of devices, not a counter."""
    return {
        name: count if name == "cooling" else count - before.throttle.get(name, count)
        for name, count in after.throttle.items()
    }
