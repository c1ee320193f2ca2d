"""TensorRT's form, built for real: TensorRT-RTX parses and builds on the CPU and says each layer's precision."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from time import perf_counter
from typing import Any, Dict, List, Sequence, Set, Tuple

import onnx

from bench.int8_models import Subject, ours, subjects
from bench.report import Table
from edge_runtime import calibrate
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
    form = calibrate.tensorrt_form(onnx.load(int8))
    network = Network(form)
    convs = [node for node in network.nodes if node.op_type == "Conv"]
    rounded = [n for n in convs if getattr(network.producer(n.input[0]), "op_type", "") == "DequantizeLinear"]
    path = folder / "form.onnx"
    path.write_bytes(form.SerializeToString())
    started = perf_counter()
    built, error, listing = build(str(path))
    counts = {"convolutions": len(convs), "quantised": len(rounded), "int8": len(int8_layers(listing))}
    return {"model": subject.name, "built": built, "error": error, "seconds": perf_counter() - started, **counts}


def build(path: str) -> Tuple[bool, str, str]:
    """Whether it builds, why not, and the builder's listing of layers."""
    import tensorrt_rtx_bindings as trt

    class Log(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.said: List[Tuple[Any, str]] = []

        def log(self, severity: Any, message: str) -> None:
            self.said.append((severity, message))

    log = Log()
    builder = trt.Builder(log)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(path):
        return False, parser.get_error(0).desc(), ""
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(trt.ComputeCapability, TARGET), 0)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    plan = builder.build_serialized_network(network, config)
    listing = next((text for _, text in log.said if text.startswith("Layers:\nName")), "")
    errors = [text for severity, text in log.said if severity == trt.ILogger.Severity.ERROR]
    return plan is not None, errors[0] if errors and plan is None else "", listing


def int8_layers(listing: str) -> Set[str]:
    """Names of convolutions whose first input is Int8."""
    found = set()
    for line in listing.split("\n")[1:]:
        name = re.match(r"Name: (.*?), LayerType: (\w+)", line)
        inputs = re.search(r"Inputs: \[(.*?)\], Outputs", line)
        kinds = re.findall(r"Datatype: (\w+)", inputs.group(1)) if inputs else []
        if name and name.group(2) in ("correlation", "gemm", "conv", "convolution") and kinds[:1] == ["Int8"]:
            found.add(name.group(1))
    return found
