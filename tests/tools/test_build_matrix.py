"""Plans of found models, for real: six models in two precisions, each with its passport."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_runtime import build
from edge_runtime.build import BuildOptions
from edge_runtime.gpu import passport, trt

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import build_matrix

pytestmark = pytest.mark.skipif(
    trt.missing() is not None or not trt.is_rtx(trt.library()), reason="needs the TensorRT-RTX wheels: .[rtx]"
)
MODELS = ("yolov5n_640", "leyolo_nano_640", "yolox_nano", "nanodet_m_416", "FastestDet", "mbv2_yolov3_nano_voc")


@pytest.mark.parametrize("name", MODELS)
def test_a_found_model(shared, tmp_path, name):
    path, flags = next(row for row in build_matrix.models(shared) if row[0].stem == name)
    source = build_matrix.source(path, flags, shared)
    for precision in ("fp16", "int8+fp16"):
        plan = tmp_path / f"{precision}.plan"
        made = build.build(source, plan, BuildOptions(precision, compute_capability="SM86"))
        assert passport.read_passport(plan) == made and plan.stat().st_size > 5e5
        if precision == "fp16":
            assert made.convolutions["float16"] > 50 and made.convolutions.get("float32", 0) <= 1, "the mean over bins"
        else:
            assert made.convolutions["int8"] >= build_matrix.quantised(source) > 20
