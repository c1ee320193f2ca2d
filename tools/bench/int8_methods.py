"""What the ways of the literature bring beside the default calibration: agreement with the float model, and AP."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, Callable, Dict, Optional, Sequence

import onnx
from accuracy import load_data, open_detector

from bench.int8_accuracy import BACKENDS
from bench.int8_equalise import equalise
from bench.int8_models import Subject, subjects
from bench.report import Table
from edge_runtime.accuracy import evaluate
from edge_runtime.calibrate import auto, calibration, corrections, images, observations, verdict
from edge_runtime.calibrate.calibration import Calibrated
from edge_runtime.calibrate.ranges.methods import Range
from edge_runtime.graph import rounding_points
from edge_runtime.graph.correction import Corrections
from edge_runtime.graph.network import Network
from edge_runtime.graph.quantize import ONNXRUNTIME
from edge_runtime.model.spec import ModelSpec

NAMES = ("nanodet_m_416", "yolov5lite_s_640", "yolox_nano", "FastestDet", "yolo_fastest_1.1_xl_coco", "yolov5n_640")


@dataclass(frozen=True)
class Base:
    """A model with its default calibration."""

    subject: Subject
    spec: ModelSpec
    paths: Sequence[str]
    network: Network
    made: Calibrated

    def again(self, learned: Optional[Corrections] = None, **changes: Any) -> onnx.ModelProto:
        """Writes changed ranges into the network, with what is learned from the pictures."""
        table = replace(self.made.table, **changes)
        if learned is None:
            learned = corrections.learn(self.network, calibration.rounded(self.network, table), self.spec, self.paths)
        return calibration.quantised(self.network, self.spec, table, learned)


def weights_alone(base: Base, folder: Path) -> onnx.ModelProto:
    """No activation is rounded: more than what is lost here cannot be won by another rounding of weights."""
    return base.again(float_activations=tuple(ONNXRUNTIME.marked(base.network)))


def nothing_in_float(base: Base, folder: Path) -> onnx.ModelProto:
    """Every activation that has a form in 8 bits is rounded."""
    return base.again(float_activations=())


def ranges_by_task_loss(base: Base, folder: Path) -> onnx.ModelProto:
    """Of five ranges of each activation, the one that adds the least noise to the detector's outputs."""
    marked = ONNXRUNTIME.marked(base.network)
    seen = observations.collect(base.network.model, marked, base.spec, base.paths)
    probe = calibration.noise_probe(base.network, seen.ranges("minmax"), base.spec, base.paths)
    tried = [seen.ranges(method) for method in ("minmax", "percentile", "mse", "entropy")] + [base.made.table.ranges]
    noise = [probe.each(rounding_points.shared(base.network, ranges, marked)) for ranges in tried]
    best: Dict[str, Range] = dict(base.made.table.ranges)
    for name in marked:
        best[name] = tried[min(range(len(tried)), key=lambda k: noise[k][name])][name]
    least = {name: min(each[name] for each in noise) for name in marked}
    return base.again(ranges=best, float_activations=tuple(auto.left_in_float(base.network, least)))


def equalisation(base: Base, folder: Path) -> onnx.ModelProto:
    """Weights of neighbours equalised, then the default calibration."""
    network = base.network.copy()
    if not equalise(network):
        raise ValueError("no two convolutions with a linear or leaky way between them")
    path = folder / "equalised.onnx"
    onnx.save(network.model, path)
    return calibration.calibrate(str(path), base.spec, base.paths).model


def nearest(base: Base, folder: Path) -> onnx.ModelProto:
    """Every weight rounded to the nearest; the biases are corrected."""
    return base.again(replace(base.made.learned, weights={}))


METHODS: Dict[str, Callable[[Base, Path], onnx.ModelProto]] = {
    "default": lambda base, folder: base.made.model,
    "nothing in float": nothing_in_float,
    "ranges by task loss": ranges_by_task_loss,
    "equalisation": equalisation,
    "rounding to the nearest": nearest,
    "weights alone": weights_alone,
}


def measure(args: argparse.Namespace, folder: Path) -> Sequence[Table]:
    columns = ("model", "method", *(f"{what}, {name}" for name in BACKENDS for what in ("AP", "agreement, %")))
    table = Table("INT8 minus fp32 by method", columns)
    for subject in subjects(args.shared, args.only):
        if subject.name in NAMES:
            for row in _rows(subject, folder):
                table.data.append(row)
                table.rows.append(_text(row))
                print(*table.rows[-1], flush=True)
    for method in METHODS:
        known = [row for row in table.data if row["method"] == method and "error" not in row]
        if known:
            means = (f"{name} {mean(row[name][0] for row in known):+.2f} points of AP,"
                     f" {mean(row[name][1] for row in known):.1f} % agreement" for name in BACKENDS)  # fmt: skip
            table.notes.append(f"{method}: mean over {len(known)} models {'; '.join(means)}.")
    table.notes.append(
        "agreement: F1 of the boxes at 0.25 with those of fp32, mean over IoU 0.5 to 0.95. Weights alone: no activation"
        " is rounded, which is the most that another rounding of weights could reach."
    )
    return [table]


def _rows(subject: Subject, folder: Path) -> Sequence[Dict[str, Any]]:
    spec = subject.spec()
    data = images.read_image_set(subject.pictures[1], None, (subject.pictures[3:] or [None])[0])
    paths = images.divide(data, len(data.paths), hold_out=True).paths  # those of the default command
    made = calibration.calibrate(str(subject.path), spec, paths)
    base = Base(subject, spec, paths, calibration.network_of(str(subject.path), spec), made)
    before, rows = {name: _found(subject, subject.path, name) for name in BACKENDS}, []
    for method, make in METHODS.items():
        row: Dict[str, Any] = {"model": subject.name, "method": method}
        try:
            path = folder / "method.onnx"
            onnx.save(make(base, folder), path)
            for name in BACKENDS:
                compared = verdict.compare_models(before[name], _found(subject, path, name))
                row[name] = (-compared.drop, 100 * compared.agreement)
        except ValueError as error:
            row["error"] = str(error)
        rows.append(row)
    return rows


def _found(subject: Subject, path: Path, backend: str) -> evaluate.Found:
    with open_detector(path, subject.flags, backend, 0) as detector:
        return evaluate.detect(detector, load_data(subject.data, subject.shared))


def _text(row: Dict[str, Any]) -> Sequence[str]:
    if "error" in row:
        return (row["model"], row["method"], row["error"], "", "", "")
    return (row["model"], row["method"], *(f"{row[name][0]:+.2f}" if not k else f"{row[name][1]:.1f}"
                                           for name in BACKENDS for k in (0, 1)))  # fmt: skip
