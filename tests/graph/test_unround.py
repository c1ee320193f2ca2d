"""Taking roundings out: fewer in OpenVINO's places, none on the way back to float."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edge_runtime.calibrate import tensorrt_form
from edge_runtime.graph import quantize, unround
from edge_runtime.graph.network import Network
from edge_runtime.model.shipped import shipped_folder
from tests.graph.test_quantize import network, quantized, run


@pytest.mark.parametrize("arch", ["yolo_nano", "tiny_yolo_v3"])
def test_only_what_is_multiplied_is_rounded(arch):
    heavy = quantized("onnxruntime", arch)
    before = run(heavy)
    light = Network(unround.drop_redundant_rounding(heavy))
    onnx.checker.check_model(light.model, full_check=True)
    assert light.outputs == network(arch).outputs
    for node in light.nodes:
        rounded = [name for name in node.input if getattr(light.producer(name), "op_type", "") == "DequantizeLinear"]
        if node.op_type == "Conv":
            assert len(rounded) == len(node.input)
        elif node.op_type not in ("DequantizeLinear", "Gemm", "MatMul"):
            assert not rounded, node.op_type
    expected, got = run(network(arch).model), run(light.model)
    noise = [sum(np.square(out[name] - value).mean() for name, value in expected.items()) for out in (got, before)]
    assert noise[0] < noise[1], "less rounding, less noise"


def test_back_to_float_keeps_the_rounded_weights():
    source = network()
    back = unround.to_float(quantized("onnxruntime"))
    assert not {node.op_type for node in back.nodes} & set(unround.PAIR)
    assert [node.op_type for node in back.nodes] == [node.op_type for node in source.nodes]
    for one, other in zip(source.nodes, back.nodes):
        if one.op_type == "Conv":
            weight, rounded = source.constants[one.input[1]], back.constants[other.input[1]]
            step = np.abs(weight).max(axis=(1, 2, 3), keepdims=True) / 127
            assert np.all(np.abs(rounded - weight) <= step / 2 + 1e-7)


def test_quantising_again_after_going_back_changes_no_weight():
    """TensorRT's form made of the INT8 file is the one made of the float file, biases aside."""
    one = Network(quantized("onnxruntime"))
    again = Network(quantized("tensorrt"))
    back = unround.to_float(one.model)
    convs = [[node for node in net.nodes if node.op_type == "Conv"] for net in (back, again)]
    for float_conv, conv in zip(*convs):
        quantiser = again.producer(again.producer(conv.input[1]).input[0])
        weight, scale = (again.constants[name] for name in quantiser.input[:2])
        scale = scale.reshape(-1, 1, 1, 1)
        expected = np.clip(np.round(weight / scale), -127, 127)
        np.testing.assert_array_equal(np.round(back.constants[float_conv.input[1]] / scale), expected)
    assert quantize.TENSORRT.marked(back) == quantize.TENSORRT.marked(network())


def test_unpacked_weights_change_nothing_but_the_file():
    free = next(n.input[0] for n in network().nodes if n.op_type == "Conv" and n.input[0] != "images")
    expected = run(quantized("onnxruntime", float_activations=[free]))
    model = unround.float_weights(quantized("onnxruntime", float_activations=[free]))
    unpacked = Network(model)
    weights = {n.input[0]: n.input[1] for n in unpacked.nodes if n.op_type == "Conv"}
    assert weights[free] in unpacked.constants
    assert sum(name in unpacked.constants for name in weights.values()) == 1, "the others stay in 8 bits"
    for name, value in run(model).items():
        np.testing.assert_allclose(value, expected[name], atol=1e-4)


@pytest.mark.parametrize("unpack", [lambda model: Network(unround.float_weights(model)), unround.to_float])
def test_a_network_that_was_unpacked_before_keeps_its_weights(unpack):
    """It was float between two roundings. Some of its constants have the names that unpacking gives."""
    form = tensorrt_form(onnx.load(str(shipped_folder() / "yolo_nano_voc_int8.onnx")))
    before = dict(Network(form).constants)
    after = unpack(form).constants
    kept = before.keys() & after.keys()
    assert kept
    for name in kept:
        np.testing.assert_array_equal(before[name], after[name], err_msg=name)
