"""Compacts random networks one after the other, in children, and compares each with the original."""

from __future__ import annotations

import json
import math
import statistics
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import onnx
from onnx import numpy_helper

from edge_runtime.errors import EdgeError
from edge_runtime.graph.compact import MULTIPLE, TOLERANCE, compact
from edge_runtime.graph.compact.report import Report
from fuzzing import children, pruned_layers
from fuzzing.graphs import draw, evaluate
from fuzzing.networks import ROOM
from fuzzing.pruned import SIZE

KINDS = ("pruned", "drawn")  # our own layers with dead filters; the networks of the section graphs with dead filters
MULTIPLES = (MULTIPLE, 4, 1)  # of the widths; the networks here are narrow
Outputs = List[Dict[str, np.ndarray]]
Run = Callable[[onnx.ModelProto], Outputs]
Drawn = Tuple[onnx.ModelProto, Sequence[np.ndarray], Mapping[str, np.ndarray], Tuple[int, int]]


def run_all(kind: str, count: int, seed: int, keep: Optional[Path] = None) -> Tuple[Dict[str, Any], List[Any]]:
    """Tries one kind of networks; outcomes and figures, and faults. Networks that fail are kept in a folder."""
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8", suffix=".jsonl") as notes:

        def work(number: int) -> str:
            drawn = one(kind, number, seed)
            said, figures = judge(*drawn)
            with open(notes.name, "a", encoding="utf-8") as file:
                file.write(json.dumps({"said": said, **figures}) + "\n")
            if keep and said.startswith("FAULT"):
                keep.mkdir(parents=True, exist_ok=True)
                onnx.save(drawn[0], str(keep / f"{kind}_{seed}_{number}.onnx"))
            return said if said.startswith("FAULT") else said.split(":")[0]

        outcomes, faults = children.tried(count, work, ROOM)
        rows = [json.loads(line) for line in Path(notes.name).read_text(encoding="utf-8").splitlines()]
    return {**outcomes, **_figures(rows)}, faults


def one(kind: str, number: int, seed: int) -> Drawn:
    """A network, inputs for it by the image, its other inputs, and its (width, height)."""
    numbers = np.random.default_rng(number)
    if kind == "pruned":
        model = pruned_layers.draw(number, seed)
        batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 3
        feeds = [numbers.standard_normal((batch, *SIZE)).astype(np.float32) for _ in range(2)]
        return model, feeds, {}, SIZE[:0:-1]  # type: ignore[return-value]
    drawn = draw.draw(number, seed)
    _kill(drawn.model, numbers)
    return drawn.model, drawn.feeds, drawn.others, drawn.wh


def _kill(model: onnx.ModelProto, numbers: np.random.Generator) -> None:
    """Sets some filters of the convolutions to 0."""
    named = {node.input[1] for node in model.graph.node if node.op_type == "Conv"}
    for tensor in model.graph.initializer:
        if tensor.name in named and tensor.data_type == onnx.TensorProto.FLOAT:
            weight = numpy_helper.to_array(tensor).copy()
            weight[numbers.random(len(weight)) < 0.5] = 0
            tensor.CopyFrom(numpy_helper.from_array(weight, tensor.name))


def judge(
    model: onnx.ModelProto, feeds: Sequence[np.ndarray], others: Mapping[str, np.ndarray], wh: Tuple[int, int]
) -> Tuple[str, Dict[str, float]]:
    """What was found: "equal", "refused: REASON" or "FAULT WHAT", and figures.

    They are of the smallest result; the difference is the largest of all. Networks run without any optimisation.
    """
    run = partial(evaluate.whole, feeds=feeds, others=others)
    before = run(model)
    worst = 0.0
    for multiple in MULTIPLES:
        said, figures = _judge(model, wh, multiple, run, before)
        if said != "equal":
            break
        worst = figures["literal"] = max(worst, figures["literal"])
    return said + f" (multiples of {multiple})" * said.startswith("FAULT"), figures


def _judge(
    model: onnx.ModelProto, wh: Tuple[int, int], multiple: int, run: Run, before: Outputs
) -> Tuple[str, Dict[str, float]]:
    """The same for one multiple of the widths, with the outputs of the network."""
    try:
        made, report = compact(model, imgsz=wh, multiple=multiple)
    except EdgeError as error:
        return (f"refused: {error}" if error.hint else f"FAULT no hint: {error}"), {}
    onnx.checker.check_model(made)
    after = run(made)
    figures = {"macs": report.after.macs / max(report.before.macs, 1), "difference": report.difference}
    if [value.name for value in made.graph.output] != [value.name for value in model.graph.output]:
        return "FAULT outputs: other names", figures
    if report.after.macs > report.before.macs:  # parameters may grow: layers that share weights lose other channels
        return f"FAULT larger: {report.before} {report.after}", figures
    if not _fits(made, report, multiple):
        return f"FAULT widths: {report.before.filters} {report.after.filters}", figures
    if not any(entry.key == "author" for entry in made.metadata_props):
        return "FAULT metadata: it is gone", figures
    figures["literal"] = max(_apart(a[name], b[name]) for a, b in zip(before, after) for name in a)
    return ("equal" if figures["literal"] <= TOLERANCE else f"FAULT error: {figures}"), figures


def _fits(made: onnx.ModelProto, report: Report, multiple: int) -> bool:
    """Whether layers that lost filters have a multiple of them. Layers of groups keep their alignment at least."""
    grouped = {node.output[0] for node in made.graph.node for a in node.attribute if a.name == "group" and a.i > 1}
    rows = [(name, report.before.filters[name][0], count) for name, (count, _) in report.after.filters.items()]
    wanted = {name: math.gcd(old, multiple) if name in grouped else multiple for name, old, _ in rows}
    return all(new == old or new % wanted[name] == 0 for name, old, new in rows)


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    """The largest difference over the largest value; what is not finite must be the same."""
    finite = np.isfinite(first)
    if first.shape != second.shape or not np.array_equal(first[~finite], second[~finite], equal_nan=True):
        return float("inf")
    one, two = (value[finite].astype(np.float64) for value in (first, second))
    return float(np.abs(one - two).max(initial=0) / max(np.abs(one).max(initial=0), 1e-6))


def _figures(rows: List[Dict[str, Any]]) -> Dict[str, Any]:
    done = [row for row in rows if row["said"] == "equal"]
    if not done:
        return {}
    reasons = Counter(row["said"][:160] for row in rows if row["said"].startswith("refused"))
    return {
        "largest difference": f"{max(row['literal'] for row in done):.1e}",
        "MACs left, median": round(statistics.median(row["macs"] for row in done), 2),
        "made smaller": sum(row["macs"] < 1 for row in done),
        "reasons": dict(reasons.most_common()),
    }
