"""A new INT8 file is opened with every backend and compared. What does not open or gives something else is refused."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from edge_runtime import calibrate
from edge_runtime.backends import BackendOptions
from edge_runtime.calibrate import reopened
from edge_runtime.calibrate.reopened import check_result
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError
from edge_runtime.graph.network import Network
from edge_runtime.model.recipe import ModelFlags
from tests.models import MODELS, PICTURES

BASE = str(MODELS / "yolo_v8.onnx")
IMAGES = [str(path) for path in PICTURES]
OPTIONS = BackendOptions(threads=1)


@pytest.fixture(scope="module")
def made() -> calibrate.Calibrated:
    with Detector.open(BASE, threads=1) as detector:
        return calibrate.calibrate(BASE, detector.model.spec, IMAGES, "minmax")


def copy(made: calibrate.Calibrated) -> Network:
    return Network(onnx.ModelProto.FromString(made.model.SerializeToString()))


def checked(network: Network, path, pictures=IMAGES):
    onnx.save(network.model, path)
    return check_result(str(path), BASE, ModelFlags(), OPTIONS, pictures)


def test_a_right_one_passes(made, tmp_path):
    assert checked(copy(made), tmp_path / "int8.onnx") == ()


def test_scales_of_another_network_are_noticed(made, tmp_path):
    network = copy(made)
    for name in [n.input[1] for n in network.nodes if n.op_type == "QuantizeLinear"]:
        network.set_constant(name, np.array(network.constants[name] * 1000, np.float32))
    with pytest.raises(ModelError, match=r"finds \d of the|nothing to do with") as failure:
        checked(network, tmp_path / "int8.onnx")
    assert "nothing was written" in str(failure.value.hint)


def test_values_that_are_not_finite_are_noticed(made, tmp_path):
    network = copy(made)
    biases = [n.input[2] for n in network.nodes if n.op_type == "Conv" and n.input[2] in network.constants]
    scales = [n.input[1] for n in network.nodes if n.op_type == "DequantizeLinear"]
    for name in biases or scales[-1:]:
        network.set_constant(name, np.full_like(network.constants[name], np.nan))
    with pytest.raises(ModelError, match="not finite"):
        checked(network, tmp_path / "int8.onnx")


def test_noise_is_noticed_where_nothing_is_found(made, tmp_path, monkeypatch):
    """No box is sure enough: the raw outputs tell the two apart."""
    monkeypatch.setattr(reopened, "SURE", 0.99)
    network = copy(made)
    assert checked(network, tmp_path / "int8.onnx") == ()
    for conv in [n for n in network.nodes if n.op_type == "Conv" and n.output[0] in network.outputs]:
        scale = network.producer(conv.input[1]).input[1]
        network.set_constant(scale, np.array(network.constants[scale] * -30, np.float32))
    with pytest.raises(ModelError, match="nothing to do with"):
        checked(network, tmp_path / "int8.onnx")


def test_a_file_that_no_backend_opens_is_refused_and_names_the_backend(made, tmp_path):
    network = copy(made)
    node = next(n for n in network.nodes if n.op_type == "Conv")
    node.op_type = "Convolution"
    with pytest.raises(ModelError, match="does not run the INT8 network") as failure:
        checked(network, tmp_path / "int8.onnx")
    assert str(tmp_path) not in str(failure.value), "a file that nobody will see"


def test_a_backend_that_does_not_open_the_float_model_either_is_a_note(made, tmp_path):
    """Functions of a file's own are read by ONNX Runtime only."""
    from tests.rewrites import REWRITES

    if onnxruntime.__version__.startswith("1.12."):
        pytest.skip("ONNX Runtime 1.12 does not read a function with two operators")
    model = REWRITES["functions"](onnx.load(BASE))
    onnx.save(model, tmp_path / "float.onnx")
    path, options = str(tmp_path / "float.onnx"), BackendOptions("onnxruntime", threads=1)
    notes = check_result(path, path, ModelFlags(), options, IMAGES[:1])
    assert len(notes) == 1 and "openvino runs neither" in notes[0]
