"""LeYOLO, LeNeck and SSDLite in INT8, calibrated as by edge-calibrate: both backends of a processor run them."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import pytest

from edge_runtime.calibrate.calibration import calibrate
from edge_runtime.detect.detector import Detector
from edge_runtime.graph.prepare import state
from edge_runtime.model.onnx_file import load_onnx, read_io
from edge_runtime.model.spec import METADATA_KEY, ModelSpec
from edge_runtime.zoo.__main__ import main

ort = pytest.importorskip("onnxruntime")
SIDE = 64


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number in range(2):
        coarse = random.integers(0, 256, (6, 8, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.resize(coarse, (80, 60), interpolation=cv2.INTER_CUBIC))
    return folder


@pytest.fixture(scope="module", params=["leyolo", "leneck", "ssdlite"])
def pair(request, tmp_path_factory, pictures):
    """The float file and the INT8 file made of it."""
    folder = tmp_path_factory.mktemp(request.param)
    files = folder / "float.onnx", folder / "int8.onnx"
    assert main([request.param, "-o", str(files[0]), "--imgsz", str(SIDE), "--seed", "2"]) == 0
    spec = ModelSpec.from_json(read_io(str(files[0])).metadata[METADATA_KEY])
    onnx.save(calibrate(str(files[0]), spec, sorted(map(str, pictures.iterdir())), "minmax").model, files[1])
    return files


def outputs(path, pictures, backend):
    with Detector.open(path, threads=1, backend=backend) as detector:
        detector(str(sorted(pictures.iterdir())[0]))
        return [output.copy() for output in detector.backend.outputs(0)]


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_it_runs_and_stays_near_the_float_model(pair, pictures, backend):
    pytest.importorskip(backend)
    assert [state(load_onnx(str(path))) for path in pair] == ["float", "quantised"]
    exact, rounded = (outputs(path, pictures, backend) for path in pair)
    for one, other in zip(exact, rounded):
        error = np.sqrt(np.mean((other.astype(np.float64) - one) ** 2))
        assert 0 < error < 0.5 * np.std(one), "random weights are harder to round than learnt ones"
