"""Float16 networks: half the size, nearly the same, valid ONNX, with and without 8 bits inside."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.graph.half import float16_tensors, half
from edge_runtime.graph.network import Network
from tests.graph.test_quantize import network, quantized, run


@pytest.mark.parametrize("arch", ["yolo_nano", "tiny_yolo_v2", "tiny_yolo_v3"])
def test_close_and_half_as_large(arch):
    whole = len(network(arch).model.SerializeToString())
    model = half(network(arch))
    onnx.checker.check_model(model, full_check=True)
    assert 0.48 < len(model.SerializeToString()) / whole < 0.53
    expected, got = run(network(arch).model), run(model)
    assert list(expected) == list(got)
    for name, value in expected.items():
        assert got[name].dtype == np.float32
        assert np.square(got[name] - value).mean() < 1e-3 * value.var()


def test_what_is_quantised_stays_so():
    mixed = half(Network(quantized("onnxruntime")))
    onnx.checker.check_model(mixed, full_check=True)
    kinds = [node.op_type for node in mixed.graph.node]
    assert kinds.count("QuantizeLinear") == [n.op_type for n in quantized("onnxruntime").graph.node].count(
        "QuantizeLinear"
    )
    expected, eight_bits = run(network().model), run(quantized("onnxruntime"))
    for name, value in run(mixed).items():
        lost, lost_by_8_bits = (np.square(got - expected[name]).mean() for got in (value, eight_bits[name]))
        assert lost < 2 * lost_by_8_bits < 0.2 * expected[name].var(), "about as close as 8 bits alone"


def test_large_biases_do_not_become_infinite():
    source = network()
    source.set_constant("conv1.bias", np.full_like(source.constants["conv1.bias"], 1e6))
    model = Network(half(source))
    assert all(np.isfinite(v).all() for v in model.constants.values() if v.dtype == np.float16)


def convs(first: float, second: float) -> Network:
    """Two 1x1 convolutions whose weights are scaled, from "images" (1, 3, 4, 4) to "y"."""
    weights = [np.random.default_rng(k).normal(size=(3, 3, 1, 1)).astype(np.float32) for k in range(2)]
    constants = [numpy_helper.from_array(w * s, f"w{k}") for k, (w, s) in enumerate(zip(weights, (first, second)))]
    nodes = [
        helper.make_node("Conv", ["images", "w0"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1"], ["y"]),
    ]
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 4, 4])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 4, 4])
    graph = helper.make_graph(nodes, "g", [given], [made], constants)
    return Network(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


SMALL = np.random.default_rng(5).uniform(0, 1, (1, 3, 4, 4)).astype(np.float32)


def test_the_emulated_form_rounds_as_numpy_does():
    def conv(x, w):
        half_w = w[:, :, 0, 0].astype(np.float16).astype(np.float32)
        return np.einsum("oi,nihw->nohw", half_w, x).astype(np.float16).astype(np.float32)

    source = convs(1, 1)
    a = conv(SMALL.astype(np.float16).astype(np.float32), source.constants["w0"])
    expected = conv(np.maximum(a, 0), source.constants["w1"])
    model = half(source.copy(), emulated=True)
    onnx.checker.check_model(model, full_check=True)
    got = run(model, image=SMALL)["y"]
    assert np.abs(got - expected).max() <= np.spacing(np.abs(expected).max().astype(np.float16))
    assert (got != run(source.model, image=SMALL)["y"]).mean() > 0.9, "float32 is something else"
    assert np.array_equal(got, got.astype(np.float16).astype(np.float32))


def test_the_emulated_form_overflows_and_what_is_kept_does_not():
    source = convs(1e6, 1e-6)
    expected = run(source.model, image=SMALL)["y"]
    assert not np.isfinite(run(half(source.copy(), emulated=True), image=SMALL)["y"]).all()
    for emulated in (True, False):
        kept = half(source.copy(), keep=["a", "b", "y"], emulated=emulated)
        assert np.allclose(run(kept, image=SMALL)["y"], expected, rtol=1e-6)
        assert not [tensor for tensor in kept.graph.initializer if tensor.data_type == TensorProto.FLOAT16]


def test_weights_beyond_float16_stay_float32():
    source = convs(1, 1)
    source.set_constant("w1", source.constants["w1"] * 1e6)
    model = half(source)
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert kinds == {"w0.half": TensorProto.FLOAT16, "w1": TensorProto.FLOAT}
    assert float16_tensors(convs(1, 1)) == ["images", "a", "b", "y"]
