"""The comparison of two checkouts: medians of their turns, the new one's over the old one's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import bench_versions


def test_ratios_are_of_medians() -> None:
    def turn(fps: float) -> dict:
        return {("m", "openvino", 2): {"fps": fps, "cpu_ms": 2.0, "latency_p50": 4.0, "of_raw": 0.5}}

    table = bench_versions._compare(
        [turn(9.0), turn(30.0), turn(31.0)], [turn(20.0), turn(21.0), turn(1.0)], ("b", "a")
    )
    assert table.rows == [("m", "openvino", "2", "1.500", "1.000", "1.000", "1.000")] and table.title == "b over a"
    assert table.data[0]["fps"] == pytest.approx(1.5) and len(table.data[0]["new"]) == 3
