"""A new INT8 file is opened with every backend and compared. What does not open or gives something else is refused."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from edge_runtime import calibrate
from edge_runtime.backends import BackendOptions
from edge_runtime.calibrate import reopened
from edge_runtime.calibrate.reopened import check_result, compare_backends
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


def signals(noise: float, seed: int = 1):
    """Two outputs for each of two pictures: a wave of power 1, with noise of the given power in the second output."""
    wave = np.sqrt(2) * np.sin(np.linspace(0, 20 * np.pi, 2000))
    added = np.random.default_rng(seed).normal(0, np.sqrt(noise), (2, 2000))
    return [[wave.astype(np.float32), (wave + each).astype(np.float32)] for each in added]


def test_one_output_of_several_that_one_backend_computes_wrong():
    with pytest.raises(ModelError, match=r"^openvino computes output 2 of the INT8 network wrong: .* on onnxruntime"):
        compare_backends(signals(0), {"onnxruntime": signals(1e-4), "openvino": signals(4)})
    other_size = [[first, second[:-1]] for first, second in signals(0)]
    with pytest.raises(ModelError, match="openvino computes output 2"):
        compare_backends(signals(0), {"onnxruntime": signals(1e-4), "openvino": other_size})


@pytest.mark.parametrize("noise", [{}, {"openvino": 4}, {"onnxruntime": 2, "openvino": 4}, {"a": 1e-6, "b": 1e-2}])
def test_backends_that_differ_as_roundings_do(noise):
    """Nothing to compare, both noisy, or both good."""
    compare_backends(signals(0), {name: signals(power) for name, power in noise.items()})


def test_an_output_of_one_value():
    fives = [[np.full(100, 5, np.float32)]]
    near = [[np.full(100, 5.0001, np.float32)]]
    compare_backends(fives, {"onnxruntime": near, "openvino": near})
    compare_backends(fives, {"onnxruntime": fives, "openvino": near})  # a file that was INT8 already, beside itself
    with pytest.raises(ModelError, match="openvino computes output 1"):
        compare_backends(fives, {"onnxruntime": near, "openvino": [[np.full(100, 6, np.float32)]]})
