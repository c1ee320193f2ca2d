"""edge-detect holds a rate and a budget: frames, engines and modes, each decision with its reason."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tiny import boxes_v8, write_onnx

from edge_runtime.cli import _govern, detect
from edge_runtime.energy import governor
from edge_runtime.energy.governor import Decision, OperatingPoint
from edge_runtime.jetson import nvpmodel


@pytest.fixture
def engines(tmp_path: Path) -> list:
    """Two that say which one they are, by their boxes."""
    rows = ((32, 32, 16, 8, 0.9, 1), (32, 32, 16, 8, 0.9, 2))
    paths = [write_onnx(tmp_path / f"{n}.onnx", {"output0": boxes_v8(row)}) for n, row in zip("ab", rows)]
    return [word for path in paths for word in ("--engine", path)]


@pytest.fixture
def quick(monkeypatch) -> None:
    for module in (governor, _govern):
        monkeypatch.setattr(module, "LOOK_S", 0.3)


def run(root: Path, capsys, *arguments: str) -> dict:
    flags = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1", "--idle", "0.2", "--settle", "0", "--json"]
    source = [] if "--source" in arguments else ["--source", "synthetic://64x64@50"]
    assert detect.main([*arguments, *flags, *source, "--sysroot", str(root)]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_rate_is_held_by_skipping_frames(switching_board, engines, capsys):
    found = run(switching_board, capsys, *engines, "--target-fps", "10", "--duration", "3")
    assert 0 < found["fps"] < 11 and found["decisions"] == []
    assert found["dropped"]["synthetic://64x64@50"] > found["frames"]


def test_a_file_is_read_at_that_rate(switching_board, engines, capsys):
    found = run(switching_board, capsys, *engines, "--target-fps", "20", "--source", "synthetic://64x64?frames=40")
    assert found["frames"] == 40 and 0 < found["fps"] < 21


def test_a_budget_that_the_recorded_watts_exceed(switching_board, engines, capsys, quick):
    """The tree's watts do not fall, so it takes away all it has: the mode, frames, the engine; and says so."""
    flags = ["--budget", "3W", "--power-modes", "15W,30W", "--duration", "9"]
    found = run(switching_board, capsys, *engines, *flags)
    reasons = [decision["reason"] for decision in found["decisions"]]
    assert reasons[0].startswith("6.0 W are over the budget of 3 W: at most")
    assert any("a lighter engine" in reason for reason in reasons) or found["decisions"][-1]["pace_fps"] < 10
    assert {"time_s", "engine", "mode", "pace_fps", "reason"} <= set(found["decisions"][0])
    assert nvpmodel.current_name(switching_board) == "MODE_30W_ALL"


@pytest.fixture
def decided(monkeypatch, quick) -> list:
    """Decisions in the place of the governor's."""
    made: list = []
    monkeypatch.setattr(
        governor.Governor, "look", lambda self, seen, now_s: self._made(made.pop(0), 0.0) if made else None
    )
    return made


def test_an_engine_and_a_mode_are_changed_while_it_runs(switching_board, engines, capsys, decided):
    decided += [Decision(OperatingPoint(1, 0, 40.0), "lighter"), Decision(OperatingPoint(1, 1, None), "bigger")]
    log = str(switching_board / "run.csv")
    flags = ["--target-fps", "50", "--power-modes", "15W,30W", "--duration", "5", "--log", log]
    found = run(switching_board, capsys, *engines, *flags)
    assert [decision["reason"] for decision in found["decisions"]] == ["lighter", "bigger"]
    assert [Path(decision["engine"]).name for decision in found["decisions"]] == ["b.onnx", "b.onnx"]
    assert found["detections"]["b"] > 5 and found["detections"]["c"] > 20, "each engine has looked at frames"
    rows = list(csv.DictReader(open(log, encoding="utf-8")))
    assert "lighter" in " ".join(row["decision"] for row in rows) and rows[-1]["engine"] == "b.onnx"
    assert found["power"]["mode"] == "MODE_15W, then MODE_30W_ALL" and found["power"]["fps_per_watt_nominal"] is None
    assert nvpmodel.current_name(switching_board) == "MODE_30W_ALL"


def test_a_mode_that_is_refused_is_said_and_not_tried_again(switching_board, engines, capsys, decided):
    decided += [Decision(OperatingPoint(0, 1, None), "bigger")]
    found = run(switching_board, capsys, *engines, "--target-fps", "50", "--power-modes", "15W,10W", "--duration", "2")
    (decision,) = found["decisions"]
    assert decision["reason"].startswith("bigger; but MODE_10W needs a reboot") and decision["mode"] == "15W"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jetson-clocks"], "--jetson-clocks goes with a power mode"),
        (["--power-modes", "15W,30W"], "several engines or power modes, and nothing to choose by"),
        (["--power-modes", "15W", "--power-mode", "15W", "--budget", "9"], "--power-mode and --power-modes"),
        (["--budget", "9W", "--sysroot", "EMPTY"], "a budget, but watts are not measured here"),
    ],
)
def test_what_makes_no_sense_is_said(switching_board, engines, capsys, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    flags = [
        "--family",
        "yolo_v8",
        "--labels",
        "a,b,c",
        "--source",
        "synthetic://64x64@50",
        "--sysroot",
        str(switching_board),
    ]
    arguments = [str(tmp_path / "empty") if word == "EMPTY" else word for word in arguments]
    assert detect.main([*engines[:2], *flags, *arguments]) == 1
    assert message in capsys.readouterr().err


def test_engines_of_other_classes_cannot_take_turns(switching_board, engines, tmp_path, capsys):
    other = write_onnx(tmp_path / "other.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1), classes=5)})
    flags = ["--family", "yolo_v8", "--target-fps", "50", "--duration", "1.5", "--sysroot", str(switching_board)]
    assert detect.main([*engines[:2], "--engine", other, *flags, "--source", "synthetic://64x64@50"]) == 1
    assert "error: engines of different classes cannot take turns" in capsys.readouterr().err
