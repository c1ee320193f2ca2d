"""The recorded board in tests/data is what its tool makes, and a board in every respect."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Callable

from edge_runtime import power
from edge_runtime.jetson import board, nvpmodel
from edge_runtime.jetson.probe import Probe
from tests.models import DATA

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import make_test_board as tool


def test_it_is_what_the_tool_makes() -> None:
    assert json.loads((DATA / "test-board.json").read_text(encoding="utf-8")) == tool.recorded()


def test_nothing_of_it_was_passed_over_by_the_recorder() -> None:
    assert tool.recorded()["files"] == tool.files()


def test_it_is_a_board(board_tree: Callable[[str], Path], under_load: Callable[[Path], None]) -> None:
    root = board_tree("test-board")
    modes = nvpmodel.load_conf(root).modes
    assert board.name(root) == "Jetson Orin Nano 8GB" and board.jetpack_version(board.l4t(root)) == "6.2"
    assert [mode.name for mode in modes] == list(tool.MODES) and nvpmodel.current_name(root) == "MODE_30W_ALL"
    meter, probe = power.open(root), Probe(root)
    assert meter.read_w() == {"VDD_IN": 6.0, "VDD_CPU_GPU_CV": 1.0, "VDD_SOC": 1.5} and probe.read().gpu_load == 0.0
    under_load(root)
    assert meter.read_w()["VDD_IN"] == 15.0 and probe.read().gpu_load == 98.0
    assert probe.read().temperatures_c == {"cpu": 60.0, "gpu": 62.0, "tj": 62.5}
