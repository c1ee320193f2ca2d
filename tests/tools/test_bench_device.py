"""tools/bench_device.py: its loop, on a few frames. No figure is judged here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import bench_device
from bench import device_worker
from bench.report import Table


def test_a_few_frames(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The worker's own patches have no end, so they are those of the test."""
    monkeypatch.setattr(device_worker, "Patch", lambda: monkeypatch)
    monkeypatch.setattr(device_worker, "WARM", 5)
    device_worker.main(20)
    found = json.loads(capsys.readouterr().out)
    assert found["driver"] > 0 and found["copied"]["median"] > 0 and found["in place"]["blocks"] < 100
    table = Table("t", bench_device.COLUMNS)
    bench_device.add(table, "this tree", found)
    assert [row[:2] for row in table.rows] == [("this tree", "copied"), ("this tree", "in place")]
    assert all(len(row) == len(bench_device.COLUMNS) for row in table.rows)
