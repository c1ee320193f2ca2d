"""Quantised networks: close to float, entirely in 8 bits where they should be, in the form that each runtime takes."""

from __future__ import annotations

import copy

import numpy as np
import onnx
import onnxruntime
import pytest

from edge_runtime import zoo
from edge_runtime.errors import ModelError
from edge_runtime.graph import quantize, rounding_points
from edge_runtime.graph.correction import Corrections
from edge_runtime.graph.network import Network
from edge_runtime.model.labels import VOC
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx

FORMS = {"onnxruntime": quantize.ONNXRUNTIME, "tensorrt": quantize.TENSORRT}
every_form = pytest.mark.parametrize("name", sorted(FORMS))
IMAGE = np.random.default_rng(0).uniform(0, 1, (1, 3, 64, 64)).astype(np.float32)


def run(model: onnx.ModelProto, names=None, image=IMAGE):
    model = copy.deepcopy(model)
    known = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.helper.make_tensor_value_info(n, 1, None) for n in names or () if n not in known)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = names or [value.name for value in model.graph.output]
    return dict(zip(names, session.run(list(names), {"images": image})))


def network(arch="yolo_nano") -> Network:
    architecture = zoo.build(arch, VOC, 64)
    return Network(to_onnx(architecture, weights.random(architecture, 1)))


def ranges(of: Network):
    names = [name for name in quantize.ONNXRUNTIME.marked(of) if name != "images"]
    seen = {**run(of.model, names), "images": IMAGE}
    return {name: (float(min(value.min(), 0)), float(max(value.max(), 1e-3))) for name, value in seen.items()}


def quantized(name: str, arch="yolo_nano", **more) -> onnx.ModelProto:
    source = network(arch)
    model = quantize.quantize(source, ranges(network(arch)), FORMS[name], **more)
    onnx.checker.check_model(model, full_check=True)
    return model


@every_form
@pytest.mark.parametrize("arch", ["yolo_nano", "tiny_yolo_v3"])
def test_close_to_float(name, arch):
    """Random weights are harder to round than learnt ones: 60 layers of them leave a tenth of the signal's power.

    TensorRT's steps are symmetric: what is never negative has half as many of them, and four times the noise.
    """
    most = 0.4 if name == "tensorrt" else 0.1
    expected, got = run(network(arch).model), run(quantized(name, arch))
    assert list(expected) == list(got), "outputs keep their names"
    for key, value in expected.items():
        noise = np.square(got[key] - value).mean() / np.square(value - value.mean()).mean()
        assert noise < most, f"{key}: signal to noise {-10 * np.log10(noise):.1f} dB"


def test_onnxruntime_runs_all_of_it_in_8_bits(tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(
        quantized("onnxruntime").SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    heads = len(rounding_points.ends(network()))
    assert kinds.count("QLinearConv") == 122 - heads
    assert kinds.count("Conv") + kinds.count("FusedConv") == heads, "only what decoding reads is float"
    assert not {"Clip", "Add", "Concat"} & set(kinds)
    assert kinds.count("Sigmoid") == 1, "the gate of the one attention block"


def test_tensorrts_form():
    model = quantized("tensorrt")
    found = Network(model)
    zeros = [found.constants[n.input[2]] for n in found.nodes if n.op_type == "QuantizeLinear"]
    assert all(zero.dtype == np.int8 and not zero.any() for zero in zeros)
    for node in found.nodes:
        if node.op_type == "Conv":
            assert [found.producer(name).op_type for name in node.input[:2]] == ["DequantizeLinear"] * 2
            assert all(found.constants[name].dtype == np.float32 for name in node.input[2:]), "biases stay float"
            weight = found.producer(found.producer(node.input[1]).input[0])
            assert weight.op_type == "QuantizeLinear" and found.constants[weight.input[0]].dtype == np.float32
        if node.op_type == "Add":
            assert sorted(found.producer(name).op_type == "DequantizeLinear" for name in node.input) == [False, True]
    assert not any(found.producer(name).op_type == "DequantizeLinear" for name in found.outputs)


def test_what_moves_values_shares_its_scale():
    model = Network(quantized("onnxruntime", "tiny_yolo_v3"))

    def scale(name):
        maker = model.producer(name)
        readers = [n for n in model.consumers(name) if n.op_type == "QuantizeLinear"]
        source = maker if maker.op_type == "DequantizeLinear" else readers[0]
        return float(model.constants[source.input[1]])

    seen = 0
    for node in model.nodes:
        if node.op_type in ("MaxPool", "Resize"):
            assert scale(node.input[0]) == scale(node.output[0]), node.op_type
            seen += 1
    assert seen == 7


@every_form
def test_kept_layers_stay_float(name):
    kept = network().model.graph.node[0].name
    model = Network(quantized(name, keep=[kept]))
    first = next(node for node in model.nodes if node.op_type == "Conv")
    assert model.producer(first.input[0]) is None and model.constants[first.input[1]].dtype == np.float32
    with pytest.raises(ModelError, match="no layer 'nonsense'"):
        quantized(name, keep=["nonsense"])


def test_a_missing_range_is_named():
    known = ranges(network())
    known.pop("conv1")
    with pytest.raises(ModelError, match="1 activations have no range, the first is conv1"):
        quantize.quantize(network(), known, quantize.ONNXRUNTIME)


def test_a_tiny_channel_does_not_overflow_its_bias():
    source = network()
    weight = source.constants["conv1.weight"].copy()
    weight[3] = 1e-12
    source.set_constant("conv1.weight", weight)
    bias = np.full(len(weight), 5.0, np.float32)
    source.set_constant("conv1.bias", bias)
    model = Network(quantize.quantize(source, ranges(network()), quantize.ONNXRUNTIME))
    conv = next(node for node in model.nodes if node.op_type == "Conv")
    dequantised = model.producer(conv.input[2])
    value = model.constants[dequantised.input[0]] * model.constants[dequantised.input[1]].astype(np.float64)
    np.testing.assert_allclose(value, bias, rtol=1e-3)


def test_learned_weights_are_written_as_they_are_and_change_no_scale():
    source = network()
    step = np.abs(source.constants["conv1.weight"]).reshape(12, -1).max(axis=1).reshape(-1, 1, 1, 1) / 127
    up = (np.floor(source.constants["conv1.weight"] / step) + 1).clip(-127, 127)
    learned = Corrections(weights={"conv1.weight": (up * step).astype(np.float32)})
    plain, ours = (
        Network(quantize.quantize(network(), ranges(network()), quantize.ONNXRUNTIME, corrections=by))
        for by in (Corrections(), learned)
    )
    differ = [name for name, value in ours.constants.items() if not np.array_equal(value, plain.constants[name])]
    assert [ours.constants[name].shape for name in differ] == [up.shape]
    np.testing.assert_array_equal(ours.constants[differ[0]], up)


def test_bias_correction_restores_the_mean():
    """Of the first layer, whose inputs are known exactly: the mean output is that of the float layer."""
    source, known = network(), ranges(network())
    known["images"] = (0.0, 0.9)  # clips: a loss that only the rounded mean knows of
    clipped = np.round(np.clip(IMAGE, 0, 0.9) / 0.9 * 255) * 0.9 / 255
    means = {"images": (IMAGE.mean(axis=(0, 2, 3)), clipped.mean(axis=(0, 2, 3)))}
    name = network().nodes[0].output[0]
    outputs = []
    for corrected in ({}, means):
        model = quantize.quantize(network(), known, quantize.TENSORRT, corrections=Corrections(corrected))
        outputs.append(run(model, [name])[name].mean(axis=(0, 2, 3)))
    expected = run(source.model, [name])[name].mean(axis=(0, 2, 3))
    plain, better = (np.abs(output - expected).sum() for output in outputs)
    assert better < plain / 3


@every_form
def test_free_activations_stay_float_and_their_weights_small(name):
    free = next(n.input[0] for n in network().nodes if n.op_type == "Conv" and n.input[0] != "images")
    model = Network(quantized(name, float_activations=[free]))
    convs = [node for node in model.nodes if node.op_type == "Conv"]
    (reader,) = [node for node in convs if node.input[0] == free]
    assert model.producer(reader.input[1]).op_type == "DequantizeLinear"
    assert not [n for n in model.consumers(free) if n.op_type == "QuantizeLinear"]


def test_marks():
    wide, narrow = rounding_points.everywhere(network()), rounding_points.before_weights(network())
    assert "images" in wide and "images" in narrow and len(narrow) < len(wide)
    clipped = {node.input[0] for node in network().nodes if node.op_type == "Clip"}
    assert len(clipped) > 60 and not clipped & set(wide), "a range is noted behind the Clip that ends it"
    assert sorted(rounding_points.ends(network())) == sorted(network().outputs) and not set(wide) & set(
        network().outputs
    )


@pytest.mark.parametrize("taken", ["u8.0", "q0.s", "q3.dq", "i8.0.16"])
@every_form
def test_names_that_a_network_has_already_are_not_given_again(name, taken):
    found = network()
    first = next(node for node in found.nodes if node.op_type == "Conv")
    old, first.output[0] = first.output[0], taken
    for node in found.nodes:
        node.input[:] = [taken if each == old else each for each in node.input]
    found.wire()
    model = quantize.quantize(found, ranges(found), FORMS[name])
    made = [each for node in model.graph.node for each in node.output]
    assert len(made) == len(set(made)) and not set(made) & {tensor.name for tensor in model.graph.initializer}
