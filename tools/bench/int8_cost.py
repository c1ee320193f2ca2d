"""What calibration costs: memory that does not grow, and time beside quantize_static's entropy calibration."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import List, Sequence, Tuple

from bench.int8_models import ROOT, subjects
from bench.report import Table
from edge_runtime import datasets

MODEL = "yolov8n_640_fp32deq"
COUNTS = (128, 512)
WANTED_SPREAD, WANTED_MIB, WANTED_TIMES = 0.05, 1536, 3.0
PEER = """
import sys
from pathlib import Path
sys.path[:0] = [{tools!r}, {root!r}]
from bench.int8_models import quantize_static, subjects, tensors
(subject,) = subjects(Path({shared!r}), {model!r})
quantize_static(subject.path, tensors(subject, subject.spec(), {images}), Path({target!r}), "entropy")
"""


def measure(args: argparse.Namespace, folder: Path) -> Sequence[Table]:
    (subject,) = subjects(args.shared, MODEL)
    pictures = _pictures(args.shared, folder, max(COUNTS))
    said = [
        sys.executable,
        "-m",
        "edge_runtime.cli.calibrate",
        str(subject.path),
        "--no-verdict",
        *subject.flags.split(),
    ]
    memory = Table("Peak memory while calibrating, 640 px", ("model", "images", "peak RSS, MiB", "seconds"))
    for count in COUNTS:
        chosen = folder / str(count)
        _link(pictures[:count], chosen)
        seconds, mib = run_command([*said, "--images", str(chosen), "-o", str(folder / f"{count}.onnx")])
        memory.rows.append((MODEL, str(count), f"{mib:.0f}", f"{seconds:.1f}"))
        memory.data.append({"model": MODEL, "images": count, "mib": mib, "seconds": seconds})
    few, many = memory.data
    spread = abs(many["mib"] / few["mib"] - 1)
    wanted = f"wanted: within {WANTED_SPREAD:.0%}, under {WANTED_MIB} MiB"
    memory.notes.append(f"{COUNTS[1]} against {COUNTS[0]} images: {spread:+.1%} ({wanted}).")
    return [memory, _time(args, folder, few["seconds"])]


def _time(args: argparse.Namespace, folder: Path, ours: float) -> Table:
    code = PEER.format(tools=str(ROOT / "tools"), root=str(ROOT), shared=str(args.shared.resolve()), model=MODEL,
                       images=COUNTS[0], target=str(folder / "peer.onnx"))  # fmt: skip
    theirs, mib = run_command([sys.executable, "-c", code])
    title = f"Seconds for {COUNTS[0]} images of 640 px, ranges and graph"
    columns = ("model", "ours", "quantize_static entropy", "times", "its peak RSS, MiB")
    table = Table(title, columns)
    table.rows.append((MODEL, f"{ours:.1f}", f"{theirs:.1f}", f"{theirs / ours:.1f}", f"{mib:.0f}"))
    table.data.append({"model": MODEL, "ours": ours, "entropy": theirs, "entropy_mib": mib})
    table.notes.append(
        "whole commands on all cores, starting Python and preparing images included; quantize_static is fed eight"
        f" images at a time, as it keeps all activations of all images otherwise. Wanted: {WANTED_TIMES} times."
    )
    return table


def run_command(command: List[str], checkout: Path = ROOT) -> Tuple[float, float]:
    """Seconds, and peak memory in MiB."""
    started = perf_counter()
    process = subprocess.Popen(
        command,
        cwd=checkout,  # Python looks for modules here before PYTHONPATH
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.WEXITSTATUS(status)
    if status:
        raise SystemExit(f"{' '.join(command)[:200]} failed")
    return perf_counter() - started, usage.ru_maxrss / 1024


def _pictures(shared: Path, folder: Path, count: int) -> List[str]:
    found = [path for name in ("coco128", "coco_val") for path in datasets.open(str(shared / "data" / name)).paths]
    found += datasets.open(str(shared / "data" / "voc2007"), "eval").paths
    return [str(Path(path).resolve()) for path in found[:count]]


def _link(paths: Sequence[str], folder: Path) -> None:
    folder.mkdir()
    for number, path in enumerate(paths):
        os.symlink(path, folder / f"{number:04}{Path(path).suffix}")
