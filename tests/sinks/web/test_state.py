"""What the page keeps of a run is bounded, and is plain data."""

from __future__ import annotations

import json
from typing import Any, List

import numpy as np
import pytest

pytest.importorskip("h11")
from edge_runtime.sinks._web import state as states
from edge_runtime.sinks._web.state import State, dumps, plain
from tests.sinks.web.client import event


def test_everything_is_bounded() -> None:
    state = State()
    for number in range(2000):
        state.take(event("status", number, data={"fps": 1.0}))
        state.take(event("new", number, f"run-{number}", picture=b"x"))
        state.take(event("counts", number, source=f"cam{number}"))
        state.take(event("source", number, source=f"cam{number}", data={"state": "live"}))
        state.take(event("counts", number, source="cam0", data={"in_view": {"cat": 1}}))
    shown = state.snapshot()
    assert len(shown["history"]) == len(shown["in_view"]["cam0"]) == states.HISTORY
    assert len(shown["events"]) == states.MOST_EVENTS
    assert len(shown["counts"]) == len(shown["sources"]) == len(shown["in_view"]) == states.MOST_SOURCES
    assert state.picture("run-0") is None and state.picture("run-1999") == b"x"
    assert len(state._pictures) == states.MOST_PICTURES


def test_a_better_picture_takes_the_place_of_the_last() -> None:
    state = State()
    told: List[Any] = []
    state.tell = lambda name, data: told.append((name, data))
    state.take(event("new", 1, "run-1", picture=b"one"))
    state.take(event("update", 2, "run-1", picture=b"two"))
    state.take(event("end", 3, "run-1"))
    assert state.picture("run-1") == b"two"
    assert [(data["event"], data["picture"]) for _, data in told] == [("new", True), ("update", True), ("end", True)]
    assert [item["event"] for item in state.snapshot()["events"]] == ["new", "end"], "an update is no news in the list"


def test_a_status_without_figures() -> None:
    state = State()
    state.take(event("status", 1, data={"latency_ms": {"p50": 3.0}}))
    (point,) = state.snapshot()["history"]
    assert point["latency_p50"] == 3.0 and point["fps"] is None and point["power_w"] is None


def test_data_of_any_kind_becomes_json() -> None:
    odd = {"a\x1b": [np.float32(1.5), float("inf"), np.int64(3), None, True], 5: ("\udcff", b"x", "\u202e")}
    assert json.loads(dumps(plain(odd))) == {
        "a\\u001b": [1.5, None, 3.0, None, True],
        "5": ["\\udcff", "b'x'", "\\u202e"],
    }


def test_a_source_that_was_removed_gives_its_place_to_another() -> None:
    state = State()
    for number in range(2 * states.MOST_SOURCES):
        for kind in ("counts", "source"):
            state.take(event(kind, number, source=f"cam\x1b{number}", data={"state": "live"}))
        shown = state.snapshot()
        assert all(f"cam\\u001b{number}" in shown[part] for part in ("sources", "counts", "in_view"))
        state.forget([f"cam\x1b{number}", "never seen"])
    shown = state.snapshot()
    assert shown["sources"] == shown["counts"] == shown["in_view"] == {}


def test_a_file_under_the_name_of_a_removed_source_is_not_removed() -> None:
    """It has no state that could take the place of the last one."""
    state = State()
    for kind, data in (("source", {"state": "live"}), ("counts", {}), ("source", {"state": "removed"})):
        state.take(event(kind, 1, source="cam", data=data))
    assert state.snapshot()["sources"] == {"cam": {"state": "removed"}}
    state.take(event("counts", 2, source="cam"))
    assert state.snapshot()["sources"] == {}
