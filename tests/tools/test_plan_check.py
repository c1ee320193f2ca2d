"""The check of edge-plan holds its goals, and sees an interval that is too narrow."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path

import pytest

from edge_runtime.planning import estimates

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def check(shared, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    plan_check = importlib.import_module("plan_check")
    saved = {}
    monkeypatch.setattr(plan_check.report, "save", lambda path, heading, machine, tables: saved.update(tables=tables))
    return lambda: (plan_check.main(["--shared", str(shared)]), saved["tables"])


def test_what_is_left_out_is_predicted(check):
    code, (boards, processors) = check()
    assert code == 0
    totals = {row["what"]: row for row in (*boards.data, *processors.data) if row["rows"] == "all"}
    assert len(totals) == 4 and all(row["predicted"] > 50 for row in totals.values())
    assert all(row["held"] >= 0.9 for row in totals.values())
    assert totals["an engine at a mode: FPS"]["within"] > 0.9


def test_intervals_that_are_too_narrow_are_seen(check, monkeypatch):
    some = importlib.import_module("bench.planned").recorded
    monkeypatch.setattr("bench.planned.recorded", lambda shared: itertools.islice(some(shared), 3))
    monkeypatch.setattr(estimates, "student", lambda table: 0.1)
    code, (boards, _) = check()
    assert code == 1 and any(row["missed"] for row in boards.data)
