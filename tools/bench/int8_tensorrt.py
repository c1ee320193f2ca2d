"""TensorRT's form, built for real: TensorRT-RTX parses and builds on the CPU and says each layer's precision."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Dict, Sequence

import onnx

from bench.int8_models import Subject, ours, subjects
from bench.report import Table
from edge_runtime import build, calibrate
from edge_runtime.build import BuildOptions
from edge_runtime.errors import EdgeError
from edge_runtime.graph.network import Network

TARGET = "SM86"
COLUMNS = ("model", "built", "seconds", "convolutions", "of them quantised in the file", "listed as Int8", "")


def measure(args: argparse.Namespace, folder: Path) -> Sequence[Table]:
    table = Table(f"TensorRT-RTX builder on the CPU, for {TARGET}", COLUMNS)
    for subject in subjects(args.shared, args.only):
        row = _one(subject, folder)
        table.data.append(row)
        enough = row["built"] and row["int8"] >= row["quantised"]
        table.rows.append((row["model"], "yes" if row["built"] else f"no: {row['error'][:90]}", f"{row['seconds']:.1f}",
                           *(str(row[name]) for name in ("convolutions", "quantised", "int8")),
                           "ok" if enough else "MISSED"))  # fmt: skip
        print(*table.rows[-1], flush=True)
    table.notes.append(
        "Int8: the first input of a convolution in the builder's own DETAILED listing of the engine's layers."
    )
    return [table]


def _one(subject: Subject, folder: Path) -> Dict[str, Any]:
    int8 = ours(subject, folder / f"{subject.name}.onnx", "--no-verdict")
    network = Network(calibrate.tensorrt_form(onnx.load(int8), depthwise=False))
    convs = [node for node in network.nodes if node.op_type == "Conv"]
    rounded = [n for n in convs if getattr(network.producer(n.input[0]), "op_type", "") == "DequantizeLinear"]
    row = {"model": subject.name, "convolutions": len(convs), "quantised": len(rounded)}
    try:
        source = build.load_input(str(int8), subject.spec())
        made = build.build(source, folder / "m.plan", BuildOptions("int8", compute_capability=TARGET))
    except EdgeError as error:
        return {**row, "built": False, "error": str(error), "seconds": 0.0, "int8": 0}
    return {**row, "built": True, "error": "", "seconds": made.seconds, "int8": made.convolutions.get("int8", 0)}
