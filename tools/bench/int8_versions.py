"""Calibration by this checkout and by another one, in turns: its time, and the speed of its INT8 files."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from statistics import mean
from typing import Any, Dict, List, Sequence

from bench import report
from bench.int8_cost import run_command
from bench.int8_models import ROOT, Subject, subjects, tensors
from bench.int8_speed import medians, on_onnxruntime, on_openvino
from bench.report import Table
from edge_runtime.backends import onnxruntime, openvino

NAMES = ("yolov8n_640_fp32deq", "yolov5n_640", "yolox_nano", "yolo_nano_voc")
TURNS = 1
MOST_TIMES = 1.2
HOW = {"--no-verdict": ["--no-verdict"], "with verdict": []}
FOLDERS = ("ours", "theirs")


def measure(args: argparse.Namespace, folder: Path) -> Sequence[Table]:
    if args.other is None:
        raise SystemExit("--other DIR: the checkout to compare with, its core compiled")
    checkouts: List[Path] = [ROOT, args.other.resolve()]
    commits = [report.commit(checkout) for checkout in checkouts]
    times = Table("Seconds of edge-calibrate", ("model", "command", *commits, "times"))
    speed = Table("Milliseconds of inference of its files, one thread", ("model", "backend", "fp32", *commits, "times"))
    for subject in (each for name in NAMES for each in subjects(args.shared, name) if args.only in name):
        _time(times, subject, checkouts, folder)
        _speed(speed, subject, folder, args.rounds)
    times.notes.append(f"whole commands, the least of {TURNS} in turn. Wanted: {MOST_TIMES} times at most.")
    for table in (times, speed):
        ratio = mean(row["ms"][0] / row["ms"][1] for row in table.data)
        table.notes.append(f"mean {ratio:.2f} times over {len(table.data)} rows.")
    speed.notes.append(f"medians of {args.rounds} rounds in turn, each the best of 3; files of the default command.")
    return [times, speed]


def _time(table: Table, subject: Subject, checkouts: Sequence[Path], folder: Path) -> None:
    for name, more in HOW.items():
        said = [str(subject.path), *subject.pictures, *shlex.split(subject.flags), *more]
        least = [float("inf")] * 2
        for _ in range(TURNS):
            for place, checkout in enumerate(checkouts):
                target = folder / FOLDERS[place] / f"{subject.name}.onnx"
                target.parent.mkdir(exist_ok=True)
                target.with_suffix(".ranges.json").unlink(missing_ok=True)  # nothing is taken from the turn before
                command = [sys.executable, "-m", "edge_runtime.cli.calibrate", *said, "-o", str(target)]
                least[place] = min(least[place], run_command(command, checkout)[0])
        _add(table, {"model": subject.name, "command": name, "ms": [1e3 * seconds for seconds in least]}, 1e-3)


def _speed(table: Table, subject: Subject, folder: Path, rounds: int) -> None:
    image = tensors(subject, subject.spec(), 1)
    files = [folder / each / f"{subject.name}.onnx" for each in FOLDERS]
    for backend, opened, form in (
        ("onnxruntime", on_onnxruntime, onnxruntime._source),
        ("openvino", on_openvino, openvino._source),
    ):
        cases = {str(path): opened(form(str(path), 1), image) for path in (subject.path, *files)}
        found = medians(cases, rounds)
        plain, *ours = found.values()
        _add(table, {"model": subject.name, "backend": backend, "fp32": plain, "ms": ours})


def _add(table: Table, row: Dict[str, Any], unit: float = 1.0) -> None:
    numbers = [row["fp32"]] if "fp32" in row else []
    shown = [f"{unit * each:.1f}" for each in (*numbers, *row["ms"])]
    table.data.append(row)
    table.rows.append(
        (row["model"], row.get("command") or row["backend"], *shown, f"{row['ms'][0] / row['ms'][1]:.2f}")
    )
    print(*table.rows[-1], flush=True)
