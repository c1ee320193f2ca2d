"""Files that the trainings made, side by side: what each finds on pictures that took no part in any training."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Dict, List, Mapping, Optional

from edge_runtime import datasets
from edge_runtime.accuracy import evaluate
from edge_runtime.backends import BackendOptions
from edge_runtime.detect.detector import Detector

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from bench import report  # noqa: E402

PROTOCOL = {"conf": 0.005, "iou": 0.45, "multi_label": True, "max_det": 300}
METRICS = ("voc07_11pt", "voc_allpoint", "coco_101")


def parser(doc: Optional[str], reference: str, steps: int) -> argparse.ArgumentParser:
    """The flags of a comparison; its table goes to tools/reference/`reference`.json."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="VOC data with the splits calib and eval, and train/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "engines" / "yolo_nano_voc.onnx")
    parser.add_argument("--cache", type=Path, help="folder of decoded pictures; runs may share it")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--limit", type=int, help="train on the first N images only: a trial")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--reference", type=Path, default=ROOT / "tools" / "reference" / f"{reference}.json")
    return parser


def table(title: str, data: Path, paths: Mapping[str, Path], facts: Mapping[str, Mapping[str, str]]) -> report.Table:
    """Evaluates each file with ONNX Runtime on the split eval.

    Args:
        facts: further columns by their name, each with a cell by file.
    """
    found, pictures = report.Table(title, ("file", *facts, *METRICS)), datasets.open(str(data), "eval")
    for name, path in paths.items():
        with Detector.open(str(path), options=BackendOptions(backend="onnxruntime"), **PROTOCOL) as detector:
            summary = evaluate.evaluate(detector, pictures).summary()
        values = {**summary, "coco_101": summary["coco_101"]["AP"]}
        cells = {column: cell[name] for column, cell in facts.items()}
        found.rows.append((name, *cells.values(), *(f"{values[metric]:.3f}" for metric in METRICS)))
        found.data.append({"file": name, **cells, **{metric: values[metric] for metric in METRICS}})
    found.notes.append(f"{len(pictures.paths)} pictures, {PROTOCOL}")
    return found


def points(found: report.Table) -> Dict[str, float]:
    """voc07_11pt by file, in points of 100."""
    return {row["file"]: 100 * row["voc07_11pt"] for row in found.data}


def flags(args: argparse.Namespace, out: str, **more: object) -> List[str]:
    """The flags of one training of the comparison, whose teacher is the whole model."""
    given = {"out": args.out / out, "before": args.model, "steps": args.steps, "lr": args.lr, **more}
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    return [*words, *pictures(args), *(["--no-compile"] if args.no_compile else [])]


def pictures(args: argparse.Namespace) -> List[str]:
    """The flags that say what a training sees."""
    given = {"data": args.data / "train", "batch": args.batch, "cache": args.cache, "limit": args.limit}
    return [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]
