"""COCO AP of every model in ../shared/models/AP.tsv through the whole native path, beside its reference figure.

    python tools/accuracy.py                # all models, every backend, into tools/reference/accuracy.{json,md}
    python tools/accuracy.py --backend onnxruntime --only yolov8

Protocol (as in the table's header): conf 0.001 (0.01 for NanoDet, PicoDet and FastestDet), several classes per box,
class-aware NMS at IoU 0.60, best 100 boxes per image, pycocotools. Exit code 1 where one is more than 0.003 below,
or was not measured.
"""

from __future__ import annotations

import argparse
import csv
import shlex
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any, Dict, List, Optional, Sequence

from bench import report
from bench.report import Table
from bench.timing import progress_bar
from bench_host import installed_backends

from edge_runtime import datasets
from edge_runtime.accuracy import coco, evaluate
from edge_runtime.cli import _flags
from edge_runtime.datasets import Dataset
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import EdgeError

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ROOT / "tools" / "reference" / "accuracy.json"
TOLERANCE = 0.003
CONF, CONF_BY_FAMILY = 0.001, {"nanodet": 0.01, "fastestdet": 0.01}
COLUMNS = ("file", "data", "backend", "AP", "reference", "difference", "AP50", "reference AP50", "seconds", "")


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", action="append", default=[], help="default: all that are installed; repeatable")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="models whose path contains it")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="default ../shared")
    parser.add_argument("--threads", type=int, default=0, help="inference threads, default all cores but one")
    parser.add_argument("--images", type=int, metavar="N", help="only the first N: a quick look, not comparable")
    parser.add_argument("--json", type=Path, metavar="FILE", help=f"default {DEFAULT.relative_to(ROOT)} for all models")
    args = parser.parse_args(argv)
    table = _measure(args, args.backend or installed_backends())
    print(table.markdown())
    whole = not (args.only or args.backend or args.images)
    target = args.json or (DEFAULT if whole else None)
    if target:
        report.save(target, "Accuracy", report.machine(), [table])
    return int(any(row.get("low", True) for row in table.data))


def _measure(args: argparse.Namespace, backends: Sequence[str]) -> Table:
    table = Table("COCO AP, native preprocessing and decoding", COLUMNS)
    rows = [row for row in read_table(args.shared / "models" / "AP.tsv") if args.only in row["file"]]
    with progress_bar() as progress:
        for row in rows:
            data = load_data(row["data"], args.shared, args.images)
            for backend in backends:
                task = progress.add_task(f"{row['file']} {backend}", total=len(data.paths))
                _one(table, args, row, backend, data, lambda task=task: progress.advance(task))
                progress.remove_task(task)
    table.notes.append(f"marked LOW: more than {TOLERANCE} below the reference; seconds include reading the images.")
    return table


def read_table(path: Path) -> List[Dict[str, str]]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t"))


@lru_cache(maxsize=None)
def load_data(name: str, shared: Path, most: Optional[int] = None) -> Dataset:
    """`coco_val`, or `voc2007 eval`."""
    folder, _, split = name.partition(" ")
    data = datasets.open(str(shared / "data" / folder), split or None)
    return replace(data, paths=data.paths[:most], truths=data.truths[:most])


def open_detector(path: Path, flags: str, backend: str, threads: int) -> Detector:
    """Opens a model with the flags that a user would give to any command."""
    parser = argparse.ArgumentParser()
    _flags.add_model_flags(parser)
    _flags.add_detection_flags(parser, iou=0.60)
    said = ["--backend", backend, "--threads", str(threads), *shlex.split(flags)]
    args = parser.parse_args(said)
    args.conf, args.max_det, args.multi_label = CONF_BY_FAMILY.get(args.family, CONF), 100, True
    return Detector.open(str(path), flags=_flags.model_flags(args), options=_flags.backend_options(args))


def _one(table: Table, args: argparse.Namespace, row: Dict[str, str], backend: str, data: Dataset, tick: Any) -> None:
    started = perf_counter()
    try:
        with open_detector(args.shared / "models" / row["file"], row["flags"], backend, args.threads) as detector:
            about = detector.backend.description
            found = evaluate.detect(detector, data, tick)
            figures, _ = coco.average_precision(found.rows, found.truths, len(found.labels))
    except EdgeError as error:
        _add_failed(table, row, backend, error)
        return
    _add(table, row, about, figures["AP"], figures["AP50"], perf_counter() - started)


def _add_failed(table: Table, row: Dict[str, str], backend: str, error: EdgeError) -> None:
    """A file that was not measured has no figure, which is not a figure of 0."""
    table.notes.append(f"{row['file']} with {backend}: {error} ({error.hint}).")
    table.rows.append((row["file"], row["data"], backend, "", row["AP"], "", "", row["AP50"], "", "NOT MEASURED"))
    table.data.append({"file": row["file"], "data": row["data"], "backend": backend, "error": str(error)})


def _add(table: Table, row: Dict[str, str], backend: str, ap: float, ap50: float, seconds: float) -> None:
    reference, reference50 = float(row["AP"]), float(row["AP50"])
    low = ap < reference - TOLERANCE
    table.rows.append((row["file"], row["data"], backend, f"{ap:.4f}", f"{reference:.4f}", f"{ap - reference:+.4f}",
                       f"{ap50:.4f}", f"{reference50:.4f}", f"{seconds:.1f}", "LOW" if low else ""))  # fmt: skip
    figures = {"ap": ap, "ap_reference": reference, "ap50": ap50, "ap50_reference": reference50, "seconds": seconds}
    table.data.append({"file": row["file"], "data": row["data"], "backend": backend, **figures, "low": low})


if __name__ == "__main__":
    sys.exit(main())
