"""The benchmark of measuring runs, over one board and for a moment."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_both_tables(shared, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    bench_watts = importlib.import_module("bench_watts")
    (tmp_path / "fixtures/jetson").mkdir(parents=True)
    board = f"{bench_watts.BOARD}.json"
    (tmp_path / "fixtures/jetson" / board).symlink_to(shared / "fixtures/jetson" / board)
    saved = {}
    monkeypatch.setattr(bench_watts.report, "save", lambda path, heading, machine, tables: saved.update(tables=tables))
    assert bench_watts.main(["--shared", str(tmp_path), "--rounds", "2", "--seconds", "1"]) == 0
    sampler, monitor = saved["tables"]
    assert sampler.data[0]["board"] == bench_watts.BOARD and sampler.data[0]["samples"] >= 5
    assert [row["monitor"] for row in monitor.data] == ["nothing", "counting", "counting, watts, log"]
    assert monitor.data[0]["ratio"] == pytest.approx(1.0) and all(len(row["ms"]) == 2 for row in monitor.data)
