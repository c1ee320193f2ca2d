"""edge-detect on recorded boards: FPS per watt, logs, modes that are put back whatever happens."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from standins import nvpmodel as standin
from tiny import boxes_v8, write_onnx

from edge_runtime.cli import detect
from edge_runtime.jetson import hold, nvpmodel
from tests.hearing import heed_signals


@pytest.fixture
def engine(tmp_path: Path) -> str:
    return write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})


def arguments(engine: str, root: Path, *more: str) -> list:
    model = ["--engine", engine, "--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1"]
    power = ["--sysroot", str(root), "--idle", "0.3", "--settle", "0"]
    return ["--source", "synthetic://64x64@25", *model, *power, *more]


def test_a_run_in_a_mode_is_measured_logged_and_put_back(switching_board, under_load, tmp_path, capsys, engine):
    under_load(switching_board)
    log = tmp_path / "run.csv"
    flags = ["--power-mode", "15W", "--jetson-clocks", "--log", str(log), "--duration", "4", "--json"]
    assert detect.main(arguments(engine, switching_board, *flags)) == 0
    said = capsys.readouterr()
    summary = json.loads(said.out)
    power = summary["power"]
    assert summary["engine"] == engine and "power mode: MODE_15W" in said.err
    assert (power["mode"], power["caps_verified"], power["rail"]) == ("MODE_15W", True, "VDD_IN")
    assert power["mean_w"] == power["idle_w"] == 15.0 and power["coverage"] > 0.5
    assert power["fps_per_watt"] == pytest.approx(power["fps"] / 15.0, rel=1e-2)
    assert power["fps_per_watt_nominal"] == pytest.approx(power["fps"] / 15, rel=1e-2) and power["paper"]["fps"] == 26.9
    rows = list(csv.DictReader(log.open()))
    assert len(rows) >= 2 and {row["total_w"] for row in rows} == {"15.0"} and float(rows[0]["gpu_mhz"]) > 0
    assert all(float(row["inference_p95_ms"]) > 0 and row["mode"] == "15W" for row in rows)
    assert nvpmodel.current_name(switching_board) == "MODE_30W_ALL" and hold.mode_held(switching_board) is None


def test_the_summary_for_people(board_tree, under_load, capsys, engine):
    root = board_tree("agx-xavier_l4t32")
    under_load(root)
    assert detect.main(arguments(engine, root, "--duration", "1.5")) == 0
    said = capsys.readouterr().err
    assert "power: 13.65 W mean of GPU+CPU+SOC+CV+VDDRQ+SYS5V (rail_sum), mode MODE_15W\n" in said
    assert "FPS/W measured" in said and "above idle n/a" in said
    assert "published: YOLO Nano on AGX Xavier, 15W: 26.9 FPS, 1.97 FPS/W" in said


def test_a_machine_without_sensors_says_so(tmp_path, capsys, engine):
    (tmp_path / "empty").mkdir()
    log = str(tmp_path / "run.jsonl")
    assert detect.main(arguments(engine, tmp_path / "empty", "--duration", "0.5", "--log", log)) == 0
    assert "power: n/a, no power sensor" in capsys.readouterr().err
    assert detect.main(arguments(engine, tmp_path / "empty", "--power-mode", "15W")) == 1
    assert "error: no nvpmodel here, so no power modes" in capsys.readouterr().err


def test_a_refused_mode_ends_it_before_anything_runs(live_board, capsys, engine):
    root = live_board("agx-orin_l4t36")
    assert detect.main(arguments(engine, root, "--power-mode", "15W")) == 1
    assert capsys.readouterr().err.startswith("error: MODE_15W needs a reboot: TPC_PG_MASK is 240")
    assert standin.calls(root) == []


def test_a_recorded_trace_is_measured(tmp_path, capsys, engine):
    trace = tmp_path / "trace.csv"
    trace.write_text("time_s,VDD_IN_w\n0,8.0\n600,8.0\n", encoding="utf-8")
    assert detect.main(arguments(engine, tmp_path, "--duration", "1.5", "--meter", f"replay:{trace}", "--json")) == 0
    power = json.loads(capsys.readouterr().out)["power"]
    assert (power["mean_w"], power["meter"], power["scope"]) == (8.0, "replay", "module_input")


def test_a_trace_begins_with_the_first_frame_and_tells_no_idle_watts(tmp_path, capsys, engine):
    """Two seconds of 9 W: all of them would be gone before a slow model is loaded and an idle time is over."""
    trace = tmp_path / "trace.csv"
    trace.write_text("time_s,VDD_IN_w\n0,9.0\n1,9.0\n", encoding="utf-8")
    words = ["--duration", "1.5", "--meter", f"replay:{trace}", "--log", str(tmp_path / "log.csv"), "--json"]
    assert detect.main(arguments(engine, tmp_path, *words)) == 0
    power = json.loads(capsys.readouterr().out)["power"]
    assert (power["mean_w"], power["idle_w"]) == (9.0, None) and power["coverage"] > 0.9


def test_a_trace_of_another_board_and_mode_is_noted(live_board, tmp_path, capsys, engine):
    root, trace = live_board("agx-orin_l4t36"), tmp_path / "trace.csv"
    trace.write_text("time_s,mode,VDD_IN_w\n0,15W,8.0\n600,15W,8.0\n", encoding="utf-8")
    assert detect.main(arguments(engine, root, "--duration", "0.5", "--meter", f"replay:{trace}")) == 0
    said = capsys.readouterr().err
    assert "note: watts are played from a trace: VDD_IN, mode 15W\n" in said
    assert ", the trace was recorded in 15W\n" in said and "the trace is of another board\n" in said


def started(engine: str, root: Path) -> subprocess.Popen:
    """A run in another mode, once it has begun."""
    command = [sys.executable, "-m", "edge_runtime.cli.detect", *arguments(engine, root, "--power-mode", "15W")]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, encoding="utf-8", env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=heed_signals,
    )  # fmt: skip
    for line in process.stderr:
        if "test pattern" in line:
            return process
    raise AssertionError("it has not begun")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_put_the_mode_back(switching_board, engine, number):
    process = started(engine, switching_board)
    assert nvpmodel.current_name(switching_board) == "MODE_15W"
    process.send_signal(number)
    process.communicate(timeout=60)
    assert nvpmodel.current_name(switching_board) == "MODE_30W_ALL" and hold.mode_held(switching_board) is None


def test_after_a_kill_the_next_start_says_so_and_puts_it_back(switching_board, engine, capsys):
    process = started(engine, switching_board)
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 10
    while hold.mode_held(switching_board).alive and time.monotonic() < deadline:
        time.sleep(0.05)
    assert nvpmodel.current_name(switching_board) == "MODE_15W"
    assert detect.main(arguments(engine, switching_board, "--duration", "0.5")) == 0
    said = capsys.readouterr().err
    assert f"note: process {process.pid} was killed and left MODE_15W behind: MODE_30W_ALL is back" in said
    assert nvpmodel.current_name(switching_board) == "MODE_30W_ALL"


def test_what_cannot_be_put_back_is_a_note_unless_a_mode_is_asked_for(switching_board, engine, capsys):
    process = started(engine, switching_board)
    process.kill()
    process.communicate(timeout=60)
    (switching_board / "usr/sbin/nvpmodel").unlink()
    assert detect.main(arguments(engine, switching_board, "--duration", "0.5")) == 0
    assert "a run that was killed has left another power mode behind, and it stays" in capsys.readouterr().err
    assert detect.main(arguments(engine, switching_board, "--power-mode", "MAXN")) == 1
