"""What training with rounding gives back where rounding alone loses much: activations in 4 bits, on VOC2007.

    python tools/train/qat_4bit.py --data ../shared/data/voc2007 --out runs/qat4 --steps 1200

Evaluates the float model, its INT8 file, the model with activations in 4 bits as it is (the steps with the least
squared error), and the same trained with qat.py, on the split eval, which took no part in training. If it is killed,
the same command goes on. Writes tools/reference/qat_4bit.{json,md}.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import arguments
import qat
import torch

from edge_runtime import datasets
from edge_runtime.accuracy import evaluate
from edge_runtime.backends import BackendOptions
from edge_runtime.cli import calibrate
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError
from edge_runtime.files import atomic

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from bench import report  # noqa: E402

PROTOCOL = {"conf": 0.005, "iou": 0.45, "multi_label": True, "max_det": 300}
METRICS = ("voc07_11pt", "voc_allpoint", "coco_101")


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="VOC data with the splits calib and eval, and train/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "engines" / "yolo_nano_voc.onnx")
    parser.add_argument("--cache", type=Path, help="folder of decoded pictures; runs may share it")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--reference", type=Path, default=ROOT / "tools" / "reference" / "qat_4bit.json")
    args = parser.parse_args(argv)
    return arguments.guarded(lambda: compare(args))


def compare(args: argparse.Namespace) -> None:
    """Makes the files, evaluates them, and writes the table."""
    args.out.mkdir(parents=True, exist_ok=True)
    table = measure(args, files(args))
    print(table.markdown())
    report.save(args.reference, "Training with rounding", report.machine(("torch",)), [table])


def files(args: argparse.Namespace) -> Dict[str, Path]:
    """Makes what is compared, as far as it is not there yet."""
    int8, plain = args.out / "int8.onnx", args.out / "ptq4.onnx"
    if not int8.exists():
        images = ["--images", str(args.data), "--split", "calib", "--no-verdict"]
        if calibrate.main([str(args.model), *images, "-o", str(int8)]):
            raise ModelError(f"{args.model} could not be calibrated", hint="see above")
    torch.manual_seed(0)
    run = qat.Aware(qat.parser().parse_args(_flags(args, int8)))
    if not plain.exists() and not run.state["steps"]:
        atomic.replace_file(plain, run.model({}).SerializeToString())
    run.train()
    return {"float": args.model, "INT8": int8, "4 bits": plain, "4 bits, trained": args.out / "qat" / "model.onnx"}


def _flags(args: argparse.Namespace, int8: Path) -> List[str]:
    given: List[Any] = ["--data", args.data / "train", "--out", args.out / "qat", "--init", args.model, "--int8", int8]
    given += ["--before", args.model, "--bits", 4, "--steps", args.steps, "--batch", args.batch, "--lr", args.lr]
    given += ["--cache", args.cache] if args.cache else []
    return [*map(str, given), *(["--no-compile"] if args.no_compile else [])]


def measure(args: argparse.Namespace, paths: Dict[str, Path]) -> report.Table:
    """Evaluates each file with ONNX Runtime."""
    table = report.Table("Activations in 4 bits, YOLO Nano on VOC2007", ("file", *METRICS))
    data, found = datasets.open(str(args.data), "eval"), {}
    for name, path in paths.items():
        with Detector.open(str(path), options=BackendOptions(backend="onnxruntime"), **PROTOCOL) as detector:
            summary = evaluate.evaluate(detector, data).summary()
        values = {**summary, "coco_101": summary["coco_101"]["AP"]}
        found[name] = {metric: values[metric] for metric in METRICS}
        table.rows.append((name, *(f"{values[metric]:.3f}" for metric in METRICS)))
        table.data.append({"file": name, **found[name]})
    lost, kept = (found["float"]["voc07_11pt"] - found[name]["voc07_11pt"] for name in ("4 bits", "4 bits, trained"))
    table.notes.append(f"{len(data.paths)} pictures, {PROTOCOL}")
    table.notes.append(f"{args.steps} batches of {args.batch}, rate {args.lr}; the float model teaches")
    table.notes.append(f"Of {100 * lost:.1f} points of voc07_11pt that 4 bits lose, training gives back "
                       f"{100 * (lost - kept):.1f}")  # fmt: skip
    return table


if __name__ == "__main__":
    raise SystemExit(main())
