"""The benchmark of compaction on small pictures: its networks stay equal, and lose the work that it says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import bench_compact
from bench import pruned_zoo

from edge_runtime.graph.compact import compact

FIRST, LAST = pruned_zoo.FORMS


@pytest.mark.parametrize(("name", "most"), [("yolo_nano", {0.3: 0.8, 0.5: 0.6, 0.7: 0.4}),
                                            ("tiny_yolo_v3", {0.3: 0.75, 0.5: 0.5, 0.7: 0.25})])  # fmt: skip
def test_yolo_nano_and_tiny_yolo_stay_equal(name, most):
    for share, left in most.items():
        _, report = compact(pruned_zoo.pruned(name, share, FIRST, imgsz=32))
        assert report.difference <= 1e-5 and report.after.macs < left * report.before.macs


def test_the_table(tmp_path, capsys):
    target = tmp_path / "bench.json"
    flags = ["--rounds", "1", "--imgsz", "32", "--only", "nano", "--shares", "0", "0.7"]
    assert bench_compact.main([*flags, "--json", str(target)]) == 0
    (section,) = json.loads(target.read_text(encoding="utf-8"))["sections"].values()
    rows = section["rows"]
    assert [(row["share"], row["form"]) for row in rows] == [(0, FIRST), (0.7, FIRST), (0.7, LAST)]
    assert rows[0]["macs"][0] == rows[0]["macs"][1] and rows[-1]["macs"][1] < 0.4 * rows[-1]["macs"][0]
    assert "yolo_nano" in capsys.readouterr().out
