"""Makes the INT8 twin of a shipped model: calibrated by edge-calibrate, evaluated, with its recipe beside it.

    python tools/ship_int8.py --name yolo_nano_voc --data ../shared/data/voc2007

Calibrates on the data set's split `calib`, compares and evaluates on `eval`. Writes engines/NAME_int8.{onnx,toml},
calibration/NAME.{ranges.json,toml} (ranges, and the manifest of the pictures), tools/reference/NAME_int8.{html,json}.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import onnx

from edge_runtime import datasets
from edge_runtime.accuracy import evaluate
from edge_runtime.backends import BackendOptions
from edge_runtime.cli import calibrate
from edge_runtime.detect.detector import Detector

ROOT = Path(__file__).resolve().parents[1]
PROTOCOL = {"conf": 0.005, "iou": 0.45, "multi_label": True, "max_det": 300}
BACKEND = "onnxruntime"  # the figures are its own; OpenVINO rounds less


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="of the float model in engines/")
    parser.add_argument("--data", required=True, help="data set with the splits calib and eval")
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout to write into")
    args = parser.parse_args(argv)
    engines, data = args.root / "engines", ["--images", args.data, "--split", "calib"]
    target, reference = engines / f"{args.name}_int8.onnx", args.root / "tools" / "reference"
    notes = args.root / "calibration" / args.name
    notes.parent.mkdir(exist_ok=True)
    folder = os.path.commonpath([Path(path).parent for path in datasets.open(args.data, "calib").paths])
    code = calibrate.main([
        str(engines / f"{args.name}.onnx"), "-o", str(target), *data, "--image-folder", folder,
        "--verdict-data", args.data, "--verdict-split", "eval", "--report", str(reference / f"{target.stem}.html"),
        "--ranges", f"{notes}.ranges.json", "--manifest", f"{notes}.toml"])  # fmt: skip
    if not code:
        measured = _evaluate(str(target), args.data)
        _describe(target, measured)
        print(json.dumps(measured))
    return code


def _evaluate(path: str, data: str) -> Dict[str, Any]:
    with Detector.open(path, options=BackendOptions(backend=BACKEND), **PROTOCOL) as detector:
        summary = evaluate.evaluate(detector, datasets.open(data, "eval")).summary()
    kept = ("images", "voc07_11pt", "voc_allpoint", "coco_101")
    return {"data": f"{Path(data).name} eval", "backend": BACKEND, "conf": PROTOCOL["conf"], "iou": PROTOCOL["iou"],
            **{key: summary[key] for key in kept}}  # fmt: skip


def _describe(path: Path, measured: Dict[str, Any]) -> None:
    """Puts the figures into the file, and the float model's recipe with them beside it."""
    model = onnx.load(path)
    model.metadata_props.add(key="measured", value=json.dumps(measured))
    path.write_bytes(model.SerializeToString())
    recipe = path.with_name(f"{path.stem[: -len('_int8')]}.toml").read_text(encoding="utf-8")
    figures = {key: value for key, value in measured.items() if not isinstance(value, dict)}
    lines = ["[measured]", *(f"{key} = {json.dumps(value)}" for key, value in figures.items())]
    path.with_suffix(".toml").write_text(recipe.split("[measured]")[0] + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
