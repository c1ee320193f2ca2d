"""The count of rounds beside an earlier commit, for one small count."""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_a_row_for_each_arrangement(monkeypatch):
    if subprocess.run(
        ["git", "cat-file", "-e", "HEAD:edge_runtime/native/csrc"], cwd=ROOT, capture_output=True
    ).returncode:
        pytest.skip("needs a git checkout")
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    tool = importlib.import_module("suppression_rounds")
    saved = {}
    monkeypatch.setattr(tool.report, "save", lambda path, heading, machine, tables: saved.update(tables=tables))
    assert tool.main(["--commit", "HEAD", "--counts", "40"]) == 0
    (table,) = saved["tables"]
    assert [row["boxes"] for row in table.data] == [kind for kind, _ in tool.SCENES]
    assert all(0 < row["rounds"] < 10 and row["rounds before"] > 0 for row in table.data)
