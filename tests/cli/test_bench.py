"""edge-bench on a recorded board: modes, engines, files, and what it refuses to publish."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmark.test_rows import row as a_row
from tiny import boxes_v8, write_onnx

from edge_runtime.benchmark import results, validity
from edge_runtime.cli import bench
from edge_runtime.jetson import hold, nvpmodel

FLAGS = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1", "--source", "synthetic://64x64@50"]
QUICK = ["--seconds", "0.6", "--repeats", "2", "--warmup", "0.2", "--idle", "0.3", "--settle", "0"]


@pytest.fixture
def engine(tmp_path: Path) -> str:
    return write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})


@pytest.fixture
def published(monkeypatch) -> None:
    """Short windows on a shared machine may be published here, and nowhere else."""
    monkeypatch.setattr(validity, "SHORTEST_S", 0.5)
    monkeypatch.setattr(validity, "OTHERS", 2.0)


def test_a_sweep_of_modes_and_streams(switching_board, engine, tmp_path, capsys, published):
    files = [tmp_path / f"b.{suffix}" for suffix in ("json", "csv", "html")]
    outputs = [word for path in files for word in ("--output", str(path))]
    arguments = ["--engine", engine, "--power-modes", "15W,30W", "--streams", "1,2", *QUICK, *FLAGS, *outputs]
    assert bench.main([*arguments, "--sysroot", str(switching_board), "--jetson-clocks", "-v"]) == 0
    said = capsys.readouterr()
    assert "power mode: MODE_15W\n" in said.err and "30W is MODE_30W_ALL on this board" in said.err
    assert said.err.count("reading: for yolo_v8: ") == said.err.count("note: preprocessing is not stated") == 1
    assert "tiny.onnx, 15W, streams 2" in said.out and "FPS/W" in said.out
    content = json.loads(files[0].read_text(encoding="utf-8"))
    rows = content["rows"]
    assert [(row["mode"], row["streams"], row["valid"]) for row in rows] == [
        ("15W", 1, True), ("15W", 2, True), ("30W_ALL", 1, True), ("30W_ALL", 2, True)]  # fmt: skip
    for row in rows:
        assert row["caps_verified"] and row["scope"] == "module_input" and row["l4t"] == "36.4.3"
        assert row["mean_w"] == row["idle_w"] == 6.0 and 0 < row["fps"] < 55 * row["streams"]
        assert row["fps_per_watt"] == pytest.approx(row["fps"] / 6.0, rel=1e-2) and row["fps_engine"] > 0
        assert len(row["engine_sha256"]) == 64 and row["ranges_sha256"] == ""
    assert content["command"].startswith("edge-bench --engine") and len(list(csv.DictReader(files[1].open()))) == 4
    page = files[2].read_text(encoding="utf-8")
    assert page.count("<img") == 4 and 'src="http' not in page and "Published results of YOLO Nano" in page
    assert nvpmodel.current_name(switching_board) == "MODE_30W_ALL" and hold.mode_held(switching_board) is None


def test_short_windows_are_not_published(switching_board, engine, capsys):
    assert bench.main(["--engine", engine, *QUICK, *FLAGS, "--sysroot", str(switching_board), "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert not row["valid"] and "a window of 0.6 s, at least 30 s are needed" in row["reasons"]
    assert row["fps"] and row["mode"] == "30W_ALL", "measured all the same, in the mode as it is"


def test_the_figures_of_what_is_not_valid_are_shown_with_the_reason(switching_board, engine, capsys):
    assert bench.main(["--engine", engine, *QUICK, *FLAGS, "--sysroot", str(switching_board)]) == 1
    said = capsys.readouterr()
    (line,) = [line for line in said.out.splitlines() if "tiny.onnx, 30W_ALL, not valid" in line]
    assert len(re.findall(r"\d+\.\d+", line)) >= 5, "FPS, network alone, watts, FPS/W, J per frame"
    assert "not valid: tiny.onnx, 30W_ALL: " in said.err and "at least 30 s are needed" in said.err


def test_what_cannot_be_measured_is_a_row_that_says_why(switching_board, tmp_path, capsys, published):
    boxes = np.repeat(boxes_v8((32, 32, 16, 8, 0.9, 1)), 2, axis=0)
    engine = write_onnx(tmp_path / "two.onnx", {"output0": boxes}, (2, 3, 64, 64))
    flags = [*QUICK, *FLAGS, "--sysroot", str(switching_board), "--json"]
    assert bench.main(["--engine", engine, "--power-modes", "10W,15W", "--batch", "2,3", *flags]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["mode"], row["batch"], row["valid"]) for row in rows] == [
        ("10W", 2, False), ("10W", 3, False), ("15W", 2, True), ("15W", 3, False)]  # fmt: skip
    assert rows[0]["reasons"] == ["MODE_10W needs a reboot: TPC_PG_MASK is 0, MODE_10W wants 5"]
    assert rows[3]["reasons"] == ["--batch is 3, the model's batch is fixed at 2"]
    assert not (switching_board / "rebooted").exists()


def test_a_laptop_without_sensors_is_measured(tmp_path, engine, capsys, published):
    (tmp_path / "empty").mkdir()
    page = tmp_path / "b.html"
    flags = ["--sysroot", str(tmp_path / "empty"), "--output", str(page)]
    assert bench.main(["--engine", engine, *QUICK, *FLAGS, *flags]) == 0
    said = capsys.readouterr()
    assert "note: watts are n/a: no power sensor" in said.err and "n/a" in said.out
    assert "Watts were not measured." in page.read_text(encoding="utf-8")


def test_accuracy_beside_energy(switching_board, engine, tmp_path, capsys, published):
    import cv2
    import numpy as np

    (tmp_path / "data/images").mkdir(parents=True)
    (tmp_path / "data/labels").mkdir()
    cv2.imwrite(str(tmp_path / "data/images/a.png"), np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "data/labels/a.txt").write_text("1 0.5 0.5 0.25 0.125\n", encoding="utf-8")
    pytest.importorskip("pycocotools")
    page = tmp_path / "b.html"
    flags = ["--sysroot", str(switching_board), "--data", str(tmp_path / "data"), "--output", str(page), "--json"]
    assert bench.main(["--engine", engine, *QUICK, *FLAGS, *flags]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["accuracy"] == {"metric": "voc07_11pt", "value": 1.0}
    assert "accuracy against energy" in page.read_text(encoding="utf-8")
    assert row["ap"]["value"] == pytest.approx(1.0) and len(row["ap"]["samples"]) == 200 and row["ap"]["boxes"] == 1
    for name, engine_sha256 in (("a", "1"), ("b", "2")):
        (tmp_path / f"{name}.json").write_text(
            results.to_json([{**row, "engine_sha256": engine_sha256}], name), encoding="utf-8"
        )
    assert bench.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
    said = capsys.readouterr().out
    assert "tiny.onnx, 30W_ALL: This picture cannot say whether to use the second: no faster than the first" in said
    assert "(95 %; 1 box in 1 picture)" in said
    assert bench.main(["compare", "--json", str(tmp_path / "a.json"), str(tmp_path / "a.json")]) == 0
    assert "of the same file" in json.loads(capsys.readouterr().out)["rows"][0]["verdict"]


def test_results_are_merged_and_compared(tmp_path, capsys):
    before, after, all_ = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "all.json"
    before.write_text(results.to_json([a_row(50.0, 52.0)], "a"), encoding="utf-8")
    after.write_text(
        results.to_json([a_row(75.0, 76.0), {**a_row(9.0, others=0.5), "mode": "30W"}], "b"), encoding="utf-8"
    )
    assert bench.main(["compare", str(before), str(after)]) == 0
    said = capsys.readouterr()
    assert "1.480 x" in said.out and "left out: nano.plan, 30W, streams 2: only in the second" in said.err
    assert bench.main(["compare", "--json", str(before), str(before)]) == 0
    (found,) = json.loads(capsys.readouterr().out)["rows"]
    assert found["changes"][0] == {"name": "fps", "before": 51.0, "after": 51.0, "ratio": 1.0, "beyond_spread": False}
    assert bench.main(["merge", str(before), str(after), "--output", str(all_)]) == 0
    assert [r["fps"] for r in results.read_rows(all_)] == [
        75.5,
        9.0,
    ] and "not valid: nano.plan" in capsys.readouterr().err


@pytest.mark.parametrize("output", ["b.txt", "none/b.json"])
def test_where_results_cannot_go_is_said_first(engine, tmp_path, capsys, output, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bench.main(["--engine", engine, *FLAGS, "--output", output]) == 1
    assert "hint: " in capsys.readouterr().err


def test_an_interrupt_keeps_what_was_measured(switching_board, engine, tmp_path):
    output = tmp_path / "b.json"
    command = [sys.executable, "-m", "edge_runtime.cli.bench", "--engine", engine, "--power-modes", "15W,30W", *FLAGS,
               *QUICK, "--sysroot", str(switching_board), "--output", str(output)]  # fmt: skip
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, encoding="utf-8", env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    for line in process.stderr:
        if "power mode: 30W" in line:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130 and nvpmodel.current_name(switching_board) == "MODE_30W_ALL"
    assert hold.mode_held(switching_board) is None and [row["mode"] for row in results.read_rows(output)] == ["15W"]
