"""What lies beside the main result may fail, and never costs it; earlier results outlive a run that fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, List

import cv2
import numpy as np
import onnx
import pytest
from sinks.results import small_disk
from tiny import boxes_v8, write_onnx

from edge_runtime import zoo
from edge_runtime.calibrate.ranges.table import RangeTable
from edge_runtime.cli import bench, calibrate, detect
from edge_runtime.cli import eval as evaluation
from edge_runtime.files.lock import locked
from edge_runtime.model.labels import VOC
from edge_runtime.reports import evaluation as evaluation_page
from edge_runtime.reports import verdict as verdict_page
from edge_runtime.zoo import __main__ as zoo_command
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx

TINY = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Models, pictures, and pictures with labels."""
    architecture = zoo.build("yolo_nano", VOC, 64)
    onnx.save(to_onnx(architecture, weights.random(architecture, 1)), tmp_path / "nano.onnx")
    write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 20, 20, 0.9, 1))})
    for folder in ("photos", "data/images", "data/labels"):
        (tmp_path / folder).mkdir(parents=True)
    for number in range(6):
        picture = np.random.default_rng(number).integers(0, 255, (48, 64, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "photos" / f"{number}.png"), picture)
        cv2.imwrite(str(tmp_path / "data/images" / f"{number}.png"), picture)
    (tmp_path / "data/labels/0.txt").write_text("1 0.5 0.5 0.3125 0.3125\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """64 KiB: enough for a start, not for a result."""
    yield from small_disk(tmp_path / "disk", "64k")


def calibrated(place: Path, *more: str) -> List[str]:
    return [str(place / "nano.onnx"), "--images", str(place / "photos"), "-o", str(place / "int8.onnx"), "--method",
            "minmax", "--backend", "onnxruntime", "--threads", "1", *more]  # fmt: skip


def fails(*_: object, **__: object) -> None:
    raise ValueError("expected '}'")


def test_a_byproduct_that_fails_costs_neither_the_model_nor_the_others(place, capsys):
    more = ("--no-verdict", "--manifest", "/dev/full", "--tensorrt-form", str(place / "trt.onnx"))
    assert calibrate.main(calibrated(place, *more)) == 1
    out, err = capsys.readouterr()
    assert "error: /dev/full cannot be written: No space left" in err and "hint: " in err and "int8.onnx: " in out
    for name in ("int8.onnx", "trt.onnx"):
        onnx.checker.check_model(str(place / name))
    assert RangeTable.load(place / "int8.ranges.json") and not (place / "int8.partial.npz").exists()


def test_a_page_that_cannot_be_drawn_costs_no_model(place, capsys, monkeypatch):
    monkeypatch.setattr(verdict_page, "write_verdict_page", fails)
    assert calibrate.main(calibrated(place, "--report", str(place / "r.html"))) == 1
    assert "r.html could not be made: ValueError: expected '}'" in capsys.readouterr().err
    onnx.checker.check_model(str(place / "int8.onnx"))


def test_figures_are_printed_even_if_the_page_fails(place, capsys, monkeypatch):
    said = ["--engine", str(place / "tiny.onnx"), "--data", str(place / "data"), "--report", str(place / "r"), *TINY]
    monkeypatch.setattr(evaluation_page.pictures, "precision_recall", fails)
    for more in ([], ["--json"]):
        assert evaluation.main([*said, *more]) == 1
        out, err = capsys.readouterr()
        assert "voc07_11pt" in out and "could not be made" in err and not (place / "r").exists()


def test_a_table_that_cannot_be_written_costs_no_benchmark(place, capsys):
    (place / "full.csv").symlink_to("/dev/full")
    said = ["--engine", str(place / "tiny.onnx"), "--seconds", "0.2", "--repeats", "1", "--warmup", "0", "--idle", "0"]
    files = ["-o", str(place / "full.csv"), "-o", str(place / "b.json")]
    assert bench.main([*said, *files, "--source", "synthetic://64x64@50", *TINY]) == 1
    assert "full.csv cannot be written: No space left" in capsys.readouterr().err
    assert len(json.loads((place / "b.json").read_text(encoding="utf-8"))["rows"]) == 1


def test_a_log_that_is_full_is_said_at_the_end(place, capsys):
    (place / "full.csv").symlink_to("/dev/full")
    said = ["--engine", str(place / "tiny.onnx"), "--source", "synthetic://64x64@20?frames=40", "--idle", "0"]
    outputs = ["--output", str(place / "o.jsonl"), "--log", str(place / "full.csv")]
    assert detect.main([*said, *outputs, *TINY]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "full.csv" in lines[-2] and "No space left" in lines[-2] and lines[-1].startswith("hint: ")
    rows = len((place / "o.jsonl").read_text(encoding="utf-8").splitlines())
    assert rows > 30 and any(line.startswith(f"{rows} frames") for line in lines), "it ran on to its end"


@pytest.mark.parametrize("flag", ["--manifest", "--report", "--ranges", "--tensorrt-form", "--legacy-cache"])
def test_a_byproduct_that_cannot_be_written_is_said_before_the_work(place, capsys, flag):
    began = time.monotonic()
    assert calibrate.main(calibrated(place, flag, "/proc/none.html")) == 1
    assert "/proc/none." in capsys.readouterr().err and not (place / "int8.onnx").exists()
    assert not list(place.glob("int8*")) and time.monotonic() - began < 30


def test_a_full_disk_leaves_the_earlier_model_and_no_half_one(place, disk, capsys):
    (disk / "int8.onnx").write_bytes(b"earlier")
    said = [str(place / "nano.onnx"), "--images", str(place / "photos"), "--method", "minmax", "--no-verdict"]
    assert calibrate.main([*said, "-o", str(disk / "int8.onnx")]) == 1
    err = capsys.readouterr().err
    assert "int8.onnx cannot be written: No space left" in err and "after a kill the run starts" in err
    assert os.listdir(disk) == ["int8.onnx"] and (disk / "int8.onnx").read_bytes() == b"earlier"


def test_a_zoo_model_on_a_full_disk(disk, capsys):
    (disk / "n.onnx").write_bytes(b"earlier")
    assert zoo_command.main(["yolo_nano", "-o", str(disk / "n.onnx"), "--imgsz", "64"]) == 1
    assert "No space left" in capsys.readouterr().err
    assert os.listdir(disk) == ["n.onnx"] and (disk / "n.onnx").read_bytes() == b"earlier"


@pytest.mark.parametrize("flag", ["-o", "--manifest", "--report"])
def test_the_second_run_on_one_output_is_refused_at_once(place, capsys, flag):
    said = calibrated(place, "--manifest", str(place / "m.toml"), "--report", str(place / "r.html"))
    held = {"-o": "int8.onnx", "--manifest": "m.toml", "--report": "r.json"}[flag]
    with locked(place / held):
        assert calibrate.main(said) == 1
    assert f"{held} is being written by this process already" in capsys.readouterr().err
    assert not list(place.glob("int8*"))


def test_two_runs_at_one_time(place):
    """For real: one makes the model, the other is told by whom."""
    command = [sys.executable, "-m", "edge_runtime.cli.calibrate", *calibrated(place, "--no-verdict")]
    runs = [
        subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, encoding="utf-8") for _ in range(2)
    ]
    said = [run.communicate(timeout=120)[1] for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 1]
    loser = next(number for number, run in enumerate(runs) if run.returncode)
    assert f"is being written by process {runs[1 - loser].pid}" in said[loser]
    onnx.checker.check_model(str(place / "int8.onnx"))
