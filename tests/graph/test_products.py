"""Multiplications are counted by hand-made shapes, and what stays in float is named with its reason."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.graph.network import Network
from edge_runtime.graph.products import in_float, multiplications
from edge_runtime.graph.quantize import ONNXRUNTIME, quantize


def network(*nodes: onnx.NodeProto, shape=(1, 4, 8, 8), **weights: tuple) -> Network:
    tensors = [numpy_helper.from_array(np.ones(size, np.float32), name) for name, size in weights.items()]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))
    outputs = [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)]
    graph = helper.make_graph(list(nodes), "g", [given], outputs, tensors)
    return Network(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def node(op: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], name=f"the {output}", **attributes)


@pytest.mark.parametrize(("made", "shape", "weight", "expected"), [
    (node("Conv", "x w", "y", pads=[1, 1, 1, 1]), (1, 4, 8, 8), (6, 4, 3, 3), 6 * 4 * 9 * 64),
    (node("Conv", "x w", "y", group=4), (2, 4, 8, 8), (4, 1, 1, 1), 4 * 64),
    (node("Conv", "x w", "y"), (1, 4, 10), (6, 4, 3), 6 * 4 * 3 * 8),
    (node("ConvTranspose", "x w", "y", group=2, strides=[2, 2]), (1, 4, 8, 8), (4, 3, 2, 2), 4 * 3 * 4 * 64),
    (node("Gemm", "x w", "y", transB=1), (5, 7), (3, 7), 3 * 7),
    (node("MatMul", "x w", "y"), (1, 5, 7), (7, 3), 5 * 7 * 3),
    (node("MatMul", "w x", "y"), (1, 7, 5), (3, 7), 5 * 7 * 3),
    (node("MatMul", "x x", "y"), (1, 7, 7), (1,), 7 * 7 * 7),
])  # fmt: skip
def test_counts_for_one_image(made, shape, weight, expected):
    assert multiplications(network(made, shape=shape, w=weight)) == {"y": expected}


def test_reasons_and_shares():
    inner = helper.make_graph([node("Conv", "d w4", "t")], "inner", [], [helper.make_tensor_value_info("t", 1, None)])
    nodes = [
        node("Conv", "x w", "a"),
        node("Conv", "a w", "b"),
        node("Conv", "b w", "c"),
        node("Conv", "c k", "d"),
        helper.make_node("If", ["flag"], ["e"], name="the e", then_branch=inner, else_branch=inner),
        node("MatMul", "e e", "f"),
        node("Sigmoid", "f", "s"),
        node("Conv", "s w", "g"),
        node("Exp", "g", "y"),
    ]
    found = network(*nodes, w=(4, 4, 1, 1), w4=(4, 4, 1, 1))
    found.set_constant("flag", np.array(True))
    found.model.graph.input.append(helper.make_tensor_value_info("k", TensorProto.FLOAT, [4, 4, 1, 1]))
    found.wire()
    marked = set(ONNXRUNTIME.marked(found, ["the a"])) - {"b"}
    told = {each.name: each.reason for each in in_float(found, marked, ["the a"], ["b"]) if each.everywhere}
    assert told == {
        "the a": "it was asked for with --keep-fp",
        "the c": "rounding its input costs too much",
        "the d": "its weights are no constants",
        "the e": "it is inside the If",
        "the f": "it multiplies two activations",
        "the g": "its input stays in float",
    }


def test_operators_of_other_kinds():
    custom = helper.make_node("FusedConv", ["x", "w"], ["y"], name="own", domain="com.microsoft")
    (left,) = in_float(network(custom, w=(4, 4, 1, 1)), [], [], [])
    assert (left.name, left.reason) == ("own", "there is no 8-bit form of FusedConv")


def test_onnxruntime_computes_the_rest_in_8_bits(tmp_path):
    """Its optimised graph says so, for each kind of layer with and without rounding of its result."""
    onnxruntime = pytest.importorskip("onnxruntime")
    nodes = [
        node("Conv", "x w", "a"),
        node("Relu", "a", "b"),  # merged into the convolution before it
        node("Conv", "b w", "c"),
        node("Sigmoid", "c", "s"),
        node("Mul", "c s", "d"),
        node("Conv", "d w", "e"),  # its result is left in float
        node("Conv", "e w", "f"),
        node("ConvTranspose", "f w", "g"),
        node("Conv", "g w", "h"),
        node("MatMul", "h m", "i"),
        node("Conv", "i w", "j"),
        node("Exp", "j", "y"),  # decoding
    ]
    found = network(*nodes, w=(4, 4, 1, 1), m=(8, 8))
    left = in_float(found, [name for name in ONNXRUNTIME.marked(found) if name != "e"], [], ["e"])
    known = dict.fromkeys(ONNXRUNTIME.marked(found), (-3.0, 3.0))
    model = quantize(found, known, ONNXRUNTIME, float_activations=["e"])
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")  # the graph that it runs
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    run = onnx.load(options.optimized_model_filepath).graph.node
    floats = [f"the {each.output[0]}" for each in run if each.op_type in ("Conv", "ConvTranspose", "MatMul")]
    assert sorted(each.name for each in left) == sorted(floats) == ["the e", "the f", "the g", "the j"]
    assert [each.name for each in left if each.everywhere] == ["the f"]
