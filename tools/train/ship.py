"""Makes a training run into a file of `engines/`: evaluated, with its recipe and figures, log and plot beside it.

    python tools/train/ship.py --run runs/nano --name yolo_nano_voc --data ../shared/data/voc2007 --split eval

Writes engines/NAME.onnx and NAME.toml, tools/reference/NAME_train.{jsonl,png} and NAME_eval.json, all together.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import onnx
from channels import architecture_of

from edge_runtime import datasets
from edge_runtime.accuracy import evaluate
from edge_runtime.detect.detector import Detector
from edge_runtime.model import labels
from edge_runtime.model.spec import ModelSpec
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx
from edge_runtime.zoo.layers import Architecture

ROOT = Path(__file__).resolve().parents[2]
LICENSE = (
    "Apache-2.0 for the weights, which this project trained; the photographs belong to their authors, none is here"
)
PROTOCOL = {"conf": 0.005, "iou": 0.45, "multi_label": True, "max_det": 300}


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="folder that train.py wrote")
    parser.add_argument("--name", required=True, help="of the files")
    parser.add_argument("--data", required=True, help="data set that took no part in training")
    parser.add_argument("--split")
    parser.add_argument("--imgsz", type=int, help="side of the input; default: as trained")
    parser.add_argument(
        "--hardware", default=f"{os.cpu_count()} CPU cores, {platform.machine()}", help="that trained it"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout to write into")
    args = parser.parse_args(argv)
    trained = onnx.load(args.run / "model.onnx")
    training = {**_metadata(trained), "hardware": args.hardware}
    architecture = architecture_of(trained, training["arch"], args.imgsz)
    values = weights.from_onnx(trained, architecture)
    figures = _evaluate(args, architecture, values)
    _write(args, architecture, values, training, figures)
    print(json.dumps({key: figures[key] for key in ("voc07_11pt", "voc_allpoint", "coco_101")}))
    return 0


def _metadata(model: onnx.ModelProto) -> Dict[str, Any]:
    return json.loads(next(entry.value for entry in model.metadata_props if entry.key == "training"))


def _evaluate(args: argparse.Namespace, architecture: Architecture, values: weights.Weights) -> Dict[str, Any]:
    path = args.run / "candidate.onnx"
    path.write_bytes(to_onnx(architecture, values).SerializeToString())
    data = datasets.open(args.data, args.split)
    with Detector.open(str(path), **PROTOCOL) as detector:
        return {"data": data.name, **PROTOCOL, **evaluate.evaluate(detector, data).summary()}


def _write(
    args: argparse.Namespace,
    architecture: Architecture,
    values: weights.Weights,
    training: Dict[str, Any],
    figures: Dict[str, Any],
) -> None:
    measured = {
        key: figures[key] for key in ("data", "images", "conf", "iou", "voc07_11pt", "voc_allpoint", "coco_101")
    }
    metadata = {"training": json.dumps(training), "measured": json.dumps(measured), "license": LICENSE}
    engines, reference = args.root / "engines", args.root / "tools" / "reference"
    model = to_onnx(architecture, values, metadata=metadata)
    (engines / f"{args.name}.onnx").write_bytes(model.SerializeToString())
    (engines / f"{args.name}.toml").write_text(_toml(architecture.spec, training, measured), encoding="utf-8")
    shutil.copyfile(args.run / "log.jsonl", reference / f"{args.name}_train.jsonl")
    shutil.copyfile(args.run / "plot.png", reference / f"{args.name}_train.png")
    del figures["fps"]  # not a benchmark
    (reference / f"{args.name}_eval.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _toml(spec: ModelSpec, training: Dict[str, Any], measured: Dict[str, Any]) -> str:
    """A recipe: what the file's metadata says, for a copy that has lost it, and how the weights were made."""
    names = next((name for name, known in labels.SETS.items() if known == spec.labels), ",".join(spec.labels))
    model = {"family": spec.family, "labels": names, "imgsz": list(spec.input_wh), "resize": spec.resize,
             "color": spec.color, "mean": list(spec.mean), "std": list(spec.std), "pad_value": spec.pad_value,
             "anchors": spec.anchors, "strides": spec.strides, "scale_xy": spec.scale_xy}  # fmt: skip
    lines = [f"{key} = {json.dumps(value)}" for key, value in model.items()]
    for title, entries in (("training", training), ("measured", measured)):
        plain = {key: value for key, value in entries.items() if value is not None and not isinstance(value, dict)}
        lines += ["", f"[{title}]", *(f"{key} = {json.dumps(value)}" for key, value in plain.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
