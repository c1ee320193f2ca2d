"""Verdicts of edge-calibrate beside the truth: what each says on the pictures it saw, and the loss on other ones.

    python tools/verdicts.py                   # into tools/reference/verdicts.{json,md}
    python tools/verdicts.py --images 60       # a quick look, not written

The model is YOLO Nano. The truth is the loss of AP of the file that was written, on pictures of voc2007 eval, which no
calibration here saw. Dark pictures are photographs at a fiftieth of their brightness. The quantised file of another
program stands for QAT: Q/DQ operators with ranges of their own, and nothing of ours in the metadata. Exit code 1 if a
verdict recommends what loses more than it says, or recommends anything where nothing was seen.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import cv2
import onnx
from bench import report
from bench.report import Table

from edge_runtime import datasets
from edge_runtime.accuracy import evaluate, evidence
from edge_runtime.accuracy.evaluate import Found
from edge_runtime.accuracy.evidence import Evidence
from edge_runtime.backends import BackendOptions
from edge_runtime.calibrate import stamp, verdict
from edge_runtime.cli import calibrate
from edge_runtime.detect.detector import Detector

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "tools" / "reference" / "verdicts.json"
FLOAT, INT8 = ROOT / "engines" / "yolo_nano_voc.onnx", ROOT / "engines" / "yolo_nano_voc_int8.onnx"
BACKEND = "onnxruntime"
PROTOCOL = {"conf": 0.001, "iou": 0.6, "multi_label": True, "max_det": 100}
DARK, IMAGES = 0.02, 200
MAX_DROP = 0.5  # the default of edge-calibrate
COLUMNS = ("pictures", "what it says", "true loss of AP, points", "95 %", "")


@dataclass(frozen=True)
class Case:
    """One calibration: its name, the arguments of edge-calibrate, and the model."""

    name: str
    said: Sequence[str]
    model: Path = FLOAT


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=IMAGES, metavar="N", help=f"of voc2007 eval, default {IMAGES}")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="cases whose name contains it")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="default ../shared")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        table = _measure(args, Path(folder))
    print(table.markdown())
    if args.images == IMAGES and not args.only:
        report.save(TARGET, "Verdicts beside the truth", report.machine(), [table])
    return int(any(row["wrong"] for row in table.data))


def _measure(args: argparse.Namespace, folder: Path) -> Table:
    truth = _truth(args)
    original = truth(FLOAT)
    count, objects = len(original.rows), original.objects
    table = Table(f"YOLO Nano; the truth is on {count} pictures of voc2007 eval with {objects} objects", COLUMNS)
    for case in cases(args.shared / "data", folder):
        if args.only in case.name:
            _one(table, case, folder, truth, original)
            print(table.rows[-1], file=sys.stderr)
    table.notes.append("a refused calibration writes no file, so it has no loss.")
    table.notes.append("a file that was INT8 already is compared with the float file, which the verdict did not have.")
    table.notes.append(
        "the file of a misread model is read as it was calibrated, wrongly; the float file that it is compared "
        "with is read rightly."
    )
    return table


def cases(data: Path, folder: Path) -> List[Case]:
    """Every case. Photographs are every so manieth of the train part of voc2007."""
    voc, photos = str(data / "voc2007"), sorted((data / "voc2007" / "train").rglob("*.jpg"))
    dark, four, some, many = (_copies(folder / name, photos, count, light)
                              for name, count, light in (("dark", 12, DARK), ("four", 4, 1.0), ("some", 24, 1.0),
                                                         ("many", 250, 1.0)))  # fmt: skip
    labelled = ["--images", voc, "--split", "calib"]
    return [
        Case("12 dark pictures", ["--images", dark]),
        Case("12 dark pictures, judged on 100 with labels", ["--images", dark, "--verdict-data", voc,
                                                             "--verdict-split", "calib"]),
        Case("4 photographs", ["--images", four]),
        Case("24 photographs", ["--images", some]),
        Case("250 photographs", ["--images", many]),
        Case("24 photographs, judged on 100 with labels", ["--images", some, "--verdict-data", voc,
                                                           "--verdict-split", "calib"]),
        Case("100 with labels", labelled),
        Case("a misread model (pixels not divided), 100 with labels", [*labelled, "--mean", "0", "--std", "1"]),
        Case("a misread model (pixels divided twice), 100 with labels", [*labelled, "--mean", "0", "--std", "65025"]),
        Case("labels of other classes: 60 pictures of blood cells", ["--images", str(data / "bccd")]),
        Case("a QAT file, 100 with labels", labelled, _foreign(folder / "qat.onnx")),
        Case("an INT8 file, 24 photographs", ["--images", some], INT8),
    ]  # fmt: skip


def _copies(folder: Path, photos: Sequence[Path], count: int, light: float) -> str:
    folder.mkdir()
    for photo in photos[:: len(photos) // count][:count]:
        cv2.imwrite(str(folder / f"{photo.stem}.png"), (cv2.imread(str(photo)) * light).astype("uint8"))
    return str(folder)


def _foreign(path: Path) -> Path:
    """An INT8 file as another program writes it: how its pictures are prepared is known, and nothing else."""
    model = onnx.load(str(INT8))
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key == "edge_runtime"]
    del model.metadata_props[:]
    for key, value in kept:
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(path))
    return path


def _truth(args: argparse.Namespace) -> Callable[[Path], Found]:
    data = datasets.open(str(args.shared / "data" / "voc2007"), "eval")
    data = replace(data, paths=data.paths[: args.images], truths=data.truths[: args.images])

    def found(path: Path) -> Found:
        with Detector.open(str(path), options=BackendOptions(backend=BACKEND), **PROTOCOL) as detector:
            return evaluate.detect(detector, data)

    return found


def _one(table: Table, case: Case, folder: Path, truth: Callable[[Path], Found], original: Found) -> None:
    target = folder / "int8.onnx"
    target.unlink(missing_ok=True)
    words, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(words), contextlib.redirect_stderr(errors):
        code = calibrate.main([str(case.model), "-o", str(target), *case.said, "--backend", BACKEND])
    for left in folder.glob("int8.*"):
        if left != target:
            left.unlink()
    if code or not target.exists():
        lines = [line for line in errors.getvalue().splitlines() if line.startswith(("error: ", "hint: "))]
        add(table, case.name, "; ".join(lines).replace(str(case.model), case.model.name), None, None)
        return
    model = onnx.load(str(target))
    said = next(entry.value for entry in model.metadata_props if entry.key == "verdict")
    lost = verdict.compare_models(original, truth(target))
    add(table, case.name, said, lost, stamp.read_evidence(model, str(target)))


def add(table: Table, name: str, said: str, lost: Optional[verdict.Comparison], seen: Optional[Evidence]) -> None:
    """Adds a row. It is wrong if it recommends what loses more than it says, or recommends without a box."""
    recommends = said.startswith(("Use ", "INT8 brings little"))
    wrong = recommends and (lost is None or seen is None or not seen.boxes or lost.drop > _said(seen))
    loss, interval = ("", "") if lost is None else (f"{lost.drop:+.2f}", "{:+.2f} to {:+.2f}".format(*lost.interval))
    table.rows.append((name, said, loss, interval, "WRONG" if wrong else ""))
    figures: Dict[str, Any] = {} if lost is None else {"drop": lost.drop, "interval": list(lost.interval)}
    table.data.append({"case": name, "verdict": said, "recommends": recommends, "wrong": wrong, **figures})


def _said(seen: Evidence) -> float:
    """Points of AP that a recommendation allows. Agreement says them by its limits."""
    return seen.interval[1] if seen.metric == evidence.AP else evidence.limits(evidence.AP, MAX_DROP)[1]


if __name__ == "__main__":
    sys.exit(main())
