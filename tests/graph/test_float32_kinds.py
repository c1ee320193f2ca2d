"""What never becomes float16: arithmetic on sizes, decoding, choosing, sums, and what nothing is known about."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.graph import float32_kinds as kinds
from edge_runtime.graph.half import half
from edge_runtime.graph.kinds import element_types
from edge_runtime.graph.network import Network
from tests.graph.test_half import SMALL
from tests.graph.test_quantize import run

FLOAT, HALF, INT64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64


def graph(*nodes: onnx.NodeProto, **constants) -> Network:
    """A network from "images" (1, 3, 4, 4) to "y"; "w" is the weight of a convolution."""
    constants["w"] = np.random.default_rng(1).normal(size=(3, 3, 1, 1)).astype(np.float32)
    given = helper.make_tensor_value_info("images", FLOAT, [1, 3, 4, 4])
    made = helper.make_tensor_value_info("y", FLOAT, None)
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    body = helper.make_graph(nodes, "g", [given], [made], stored)
    return Network(helper.make_model(body, opset_imports=opsets, ir_version=8))


def node(op: str, inputs: str, outputs: str, **attributes) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def reasons(network: Network):
    return kinds.float32_kinds(network)


def types(model: onnx.ModelProto):
    return element_types(onnx.shape_inference.infer_shapes(model, strict_mode=True))


CONV = node("Conv", "images w", "c")


def test_the_arithmetic_on_sizes_stays_float32():
    """As exporters write an enlargement: sizes as numbers, scaled in float, into the scales of Resize."""
    resize = helper.make_node("Resize", ["c", "", "scales"], ["r"], mode="nearest")
    network = graph(
        CONV, node("Shape", "c", "s"), node("Slice", "s two four", "hw"), node("Cast", "hw", "f", to=FLOAT),
        node("Mul", "f f2", "doubled"), node("Div", "doubled f", "ratio"),
        node("Concat", "ones ratio", "scales", axis=0), resize, node("Conv", "r w", "y"),
        two=np.array([2]), four=np.array([4]), f2=np.array([2, 2], np.float32), ones=np.ones(2, np.float32),
    )  # fmt: skip
    found = reasons(network)
    assert {name: found[name] for name in ("f", "doubled", "ratio", "scales")} == {
        "f": "changes the type", **dict.fromkeys(("doubled", "ratio", "scales"), kinds.CONSTANT)
    }  # fmt: skip
    assert not {"c", "r", "y"} & set(found)
    expected = run(network.model, image=SMALL)["y"]
    model = half(network)
    assert types(model)["scales"] == FLOAT and types(model)["r.half"] == HALF
    assert np.allclose(run(model, image=SMALL)["y"], expected, atol=0.01) and expected.shape == (1, 3, 8, 8)


def test_decoding_stays_float32():
    """Numbers of pixels have steps of 0.5 in float16."""
    grid = np.full((1, 3, 4, 4), 600.3, np.float32)
    network = graph(CONV, node("Sigmoid", "c", "s"), node("Add", "s grid", "y"), grid=grid)
    assert reasons(network) == {"s": kinds.DECODES, "y": kinds.DECODES}
    exact = run(network.model, image=SMALL)["y"]
    assert np.abs(run(half(network), image=SMALL)["y"] - exact).max() < 2e-3


@pytest.mark.parametrize(
    "weight", [np.arange(4, dtype=np.float32).reshape(4, 1), np.eye(4, dtype=np.float32)], ids=["bins", "corners"]
)
def test_fixed_matrices_belong_to_the_decoding(weight):
    network = graph(CONV, node("MatMul", "c matrix", "y"), matrix=weight)
    assert reasons(network) == {"y": kinds.DECODES}


def test_what_chooses_or_adds_up_or_is_unknown_stays_float32():
    network = graph(
        CONV, node("ReduceSum", "c", "sum", keepdims=1), node("Div", "c sum", "d"),
        node("Odd", "d", "o", domain="mine"), node("Relu", "o", "p"), node("Conv", "p w", "e"),
        node("Flatten", "e", "flat"), node("TopK", "flat k", "v i"),
        node("Cast", "i", "y", to=FLOAT), k=np.array([3]),
    )  # fmt: skip
    found = reasons(network)
    assert {name: found.get(name) for name in ("c", "sum", "d", "o", "p", "v")} == {
        "c": None, "sum": "adds many numbers", "d": None, "o": kinds.UNKNOWN, "p": kinds.UNKNOWN, "v": "chooses boxes"
    }  # fmt: skip


def test_weights_behind_other_operators_are_weights():
    """Dequantised, or turned round: what comes before them is no decoding."""
    q = np.ones((3, 3, 1, 1), np.int8)
    network = graph(
        node("DequantizeLinear", "q scale zero", "dq"), node("Transpose", "w", "turned", perm=[1, 0, 2, 3]),
        node("Conv", "images dq", "c"), node("Conv", "c turned", "y"),
        q=q, scale=np.float32(0.5), zero=np.int8(0),
    )  # fmt: skip
    assert reasons(network) == {"dq": "has scales in float32", "turned": kinds.CONSTANT}
    expected = run(network.model, image=SMALL)["y"]
    assert np.allclose(run(half(network), image=SMALL)["y"], expected, rtol=0.01)


def test_what_a_network_inside_reads_is_read():
    inner = helper.make_graph(
        [node("Identity", "c", "t")], "then", [], [helper.make_tensor_value_info("t", FLOAT, None)]
    )
    network = graph(CONV, node("If", "yes", "y", then_branch=inner, else_branch=inner), yes=np.array(True))
    assert network.reads(network.nodes[1]) == ["yes", "c"] and reasons(network) == {"y": "holds a network of its own"}
    expected = run(network.model, image=SMALL)["y"]
    assert np.allclose(run(half(network), image=SMALL)["y"], expected, atol=0.01)
