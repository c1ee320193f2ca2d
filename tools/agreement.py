"""Points of agreement beside points of AP, for INT8 files damaged in grades: what the limits of a verdict rest on.

    python tools/agreement.py                    # all, into tools/reference/agreement.{json,md}
    python tools/agreement.py --only nanodet     # a quick look, not written

Without labels a verdict has the agreement of boxes alone. `accuracy.evidence.limits` says how much of it may be lost
where so many points of AP may be. Here both are measured on the same labelled pictures. The files are those of
edge-calibrate. The damages are ranges of all activations that are too narrow or too wide, fewer bits for the weights,
and one range that is too narrow. A row contradicts if even the least AP that its pictures leave possible (95 %) is more
than the limits allow. Exit code 1 if one does.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from dataclasses import replace
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import onnx
from accuracy import load_data, open_detector
from bench import report
from bench.int8_models import Subject, ours, subjects
from bench.report import Table
from onnx import numpy_helper

from edge_runtime.accuracy import evaluate, evidence
from edge_runtime.accuracy.evaluate import Found
from edge_runtime.calibrate import verdict

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "tools" / "reference" / "agreement.json"
MODELS = ("yolo_nano_voc", "yolox_nano", "nanodet_m_416", "yolo11n_320_fp32deq")
BACKEND, IMAGES, CALIBRATION = "onnxruntime", 100, 24
COLUMNS = ("model", "damage", "agreement lost", "AP lost", "95 %", "AP that the limits allow", "")
Damage = Callable[[onnx.ModelProto], None]


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="models whose name contains it")
    parser.add_argument("--images", type=int, default=IMAGES, metavar="N", help=f"pictures, default {IMAGES}")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of inference, default 1")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="default ../shared")
    args = parser.parse_args(argv)
    table = Table("Damaged INT8 files", COLUMNS)
    for subject in subjects(args.shared, args.only):
        if subject.name in MODELS:
            with tempfile.TemporaryDirectory() as folder:
                _measure(table, subject, args, Path(folder))
    table.notes += summary(table)
    print(table.markdown())
    if not args.only and args.images == IMAGES:
        report.save(TARGET, "Agreement beside AP", report.machine(), [table])
    return int(any(row["contradicts"] for row in table.data))


def damages() -> Dict[str, Damage]:
    """Every damage by name, the gradual ones from small to large."""
    found: Dict[str, Damage] = {"none": lambda model: None}
    for factor in (0.95, 0.9, 0.8, 0.6, 1.25, 1.5, 2.0, 3.0):
        found[f"ranges times {factor:g}"] = partial(scale_ranges, factor=factor)
    for bits in (7, 6, 5):
        found[f"weights of {bits} bits"] = partial(coarsen_weights, bits=bits)
    for place in (0.2, 0.6):
        found[f"one range times 0.3, after {place:.0%} of the layers"] = partial(scale_ranges, factor=0.3, only=place)
    return found


def scale_ranges(model: onnx.ModelProto, factor: float, only: Optional[float] = None) -> None:
    """Multiplies the scales of activations: of all, or of the one at this part of the graph."""
    names = list(dict.fromkeys(node.input[1] for node in model.graph.node if node.op_type == "QuantizeLinear"))
    chosen = set(names if only is None else [names[int(only * len(names))]])
    for tensor in model.graph.initializer:
        if tensor.name in chosen:
            array = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array((array * factor).astype(array.dtype), tensor.name))


def coarsen_weights(model: onnx.ModelProto, bits: int) -> None:
    """Rounds int8 weights to fewer bits, with the scales that they have."""
    step = 1 << (8 - bits)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1:
            array = numpy_helper.to_array(tensor).astype(np.float64)
            rounded = np.clip(np.rint(array / step) * step, -128, 127).astype(np.int8)
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))


def _measure(table: Table, subject: Subject, args: argparse.Namespace, folder: Path) -> None:
    whole = folder / "int8.onnx"
    with contextlib.redirect_stdout(io.StringIO()):
        ours(subject, whole, "--no-verdict", "--num", str(CALIBRATION))
    original = _found(subject, subject.path, args)
    for name, damage in damages().items():
        model = onnx.load(str(whole))
        damage(model)
        onnx.save(model, str(folder / "damaged.onnx"))
        lost = verdict.compare_models(original, _found(subject, folder / "damaged.onnx", args))
        add(table, subject.name, name, 100 * (1 - lost.agreement), lost.drop, lost.interval)
        print(" ".join(table.rows[-1]), file=sys.stderr, flush=True)


def _found(subject: Subject, path: Path, args: argparse.Namespace) -> Found:
    data = load_data(subject.data, args.shared)
    data = replace(data, paths=data.paths[: args.images], truths=data.truths[: args.images])
    with open_detector(path, subject.flags, BACKEND, args.threads) as detector:
        return evaluate.detect(detector, data)


def allowed(lost: float) -> float:
    """Points of AP that the limits allow where so many points of agreement are lost: the inverse of `limits`."""
    return float((max(lost, 0.0) / (evidence.AGREEING * sqrt(2))) ** 2)


def add(table: Table, model: str, name: str, lost: float, drop: float, interval: Tuple[float, float]) -> None:
    """Adds a row."""
    contradicts = interval[0] > allowed(lost)
    low, high = interval
    table.rows.append((model, name, f"{lost:.1f}", f"{drop:+.2f}", f"{low:+.2f} to {high:+.2f}",
                       f"{allowed(lost):.2f}", "CONTRADICTS" if contradicts else ""))  # fmt: skip
    table.data.append({"model": model, "damage": name, "agreement_lost": lost, "drop": drop,
                       "interval": list(interval), "contradicts": contradicts})  # fmt: skip


def summary(table: Table) -> List[str]:
    """What the rows say of the two limits at the default of 0.5 points."""
    notes = []
    for limit in evidence.limits(evidence.AGREEMENT, 0.5)[:2]:
        under = [row for row in table.data if row["agreement_lost"] <= limit]
        if under:
            worst = max(under, key=lambda row: float(row["drop"]))
            notes.append(f"{len(under)} rows lose at most {limit:g} points of agreement. The most AP that one of them "
                         f"loses is {worst['drop']:+.2f} ({worst['model']}, {worst['damage']}).")  # fmt: skip
    return notes


if __name__ == "__main__":
    sys.exit(main())
