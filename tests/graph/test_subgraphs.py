"""Graphs inside nodes: what they read from outside is read by the node, kept alive, and keeps its name."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from edge_runtime.graph import quantize, rounding_points
from edge_runtime.graph.cut import boundary_tensors
from edge_runtime.graph.network import Network
from edge_runtime.graph.prepare import fold_batch_norm
from edge_runtime.graph.subgraphs import outer_names
from edge_runtime.graph.unround import to_float
from tests.graph.test_folding import network, node


def branch(name: str, *nodes: onnx.NodeProto, output: str = "t") -> onnx.GraphProto:
    return helper.make_graph(list(nodes), name, [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)])


def choice(then: onnx.GraphProto, other: onnx.GraphProto, output: str = "y") -> onnx.NodeProto:
    return helper.make_node("If", ["flag"], [output], then_branch=then, else_branch=other)


def test_names_from_outside():
    inner = choice(branch("a", node("Mul", "deep own", "t")), branch("b", node("Neg", "own", "t")), "u")
    outer = branch("c", node("Add", "x gamma", "own"), inner, node("Neg", "u", "t"))
    direct = branch("d", node("Neg", "x", "unused"), output="beta")
    assert sorted(outer_names(choice(outer, direct))) == ["beta", "deep", "flag", "gamma", "x"]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("i", "c", "v")]
    body = helper.make_graph([node("Add", "v far", "v2")], "body", values, values[:1])
    assert outer_names(helper.make_node("Loop", ["m", "c", "x"], ["y"], body=body)) == ["far"]


def test_constants_that_only_a_branch_reads_are_kept():
    graph = branch("a", node("Mul", "x gamma", "t"))
    found = network(choice(graph, graph), flag=np.array(True), gamma=np.float32(2), dead=np.float32(1))
    found.replace_nodes(found.nodes)
    assert set(found.constants) == {"flag", "gamma"}
    assert [each.op_type for each in found.consumers("gamma")] == ["If"]


def test_a_convolution_that_a_branch_reads_too_is_not_folded():
    graph = branch("a", node("Neg", "c", "t"))
    parameters = {name: np.ones(2, np.float32) for name in "gbmv"}
    conv, bn = node("Conv", "x w", "c"), node("BatchNormalization", "c g b m v", "n")
    weight = np.ones((2, 3, 1, 1), np.float32)
    alone = network(conv, bn, node("Neg", "n", "y"), w=weight, **parameters)
    assert fold_batch_norm(alone) == 1
    both = network(conv, bn, choice(graph, graph, "u"), node("Add", "u n", "y"), w=weight, flag=np.array(True),
                   **parameters)  # fmt: skip
    assert fold_batch_norm(both) == 0


def test_what_a_branch_reads_of_a_quantised_network_is_not_swept():
    graph = branch("a", node("Neg", "side", "t"))
    rounded = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d")]
    parameters = {"s": np.float32(1), "z": np.uint8(0), "flag": np.array(True)}
    found = to_float(network(*rounded, node("Neg", "d", "side"), choice(graph, graph), **parameters).model)
    assert [each.op_type for each in found.nodes] == ["Neg", "If"] and found.nodes[0].input[0] == "x"


def test_a_cut_hands_on_what_a_branch_reads():
    graph = branch("a", node("Neg", "early", "t"))
    made = [
        node("Relu", "x", "early"),
        node("Neg", "x", "other"),
        choice(graph, graph, "u"),
        node("Add", "u other", "y"),
    ]
    assert boundary_tensors(network(*made, flag=np.array(True)).model, 2, []) == ["early", "other"]


def test_an_if_with_convolutions_belongs_to_the_body():
    inner = branch("a", node("Conv", "c w", "t"))
    made = [
        node("Conv", "x w", "c"),
        choice(inner, inner),
    ]
    found: Network = network(*made, w=np.ones((3, 3, 1, 1), np.float32), flag=np.array(True))
    assert found.leading_to_weights() == {"c", "y"}


def test_what_is_moved_into_a_branch_is_not_rounded_before():
    """ONNX Runtime would end the process: it moves the rounding over the Slice into the If."""
    graph = branch("a", node("Neg", "cut", "t"))
    parts = [node("Conv", "x w", "c"), node("Reshape", "c shape", "r"), node("Slice", "r first last axis", "cut"),
             node("ReduceMax", "cut", "m", keepdims=0), node("Less", "m low", "flag"),
             choice(graph, graph, "u"), node("Conv", "u v", "y")]  # fmt: skip
    constants = {"w": np.ones((3, 3, 1, 1)), "v": np.ones((2, 3, 1, 1)), "low": np.array(1.0)}
    places = {"shape": np.array([0, 0, 0, -1]), "first": np.array([0]), "last": np.array([3]), "axis": np.array([1])}
    found = network(*parts, **{name: value.astype(np.float32) for name, value in constants.items()}, **places)
    found.model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4]))
    assert rounding_points.moved_into_graphs(found) == {"r", "cut"}
    ranges = dict.fromkeys(quantize.ONNXRUNTIME.marked(found), (0.0, 9.0))
    model = quantize.quantize(found, ranges, quantize.ONNXRUNTIME)
    read = {each.op_type: each.input[0] for each in model.graph.node if each.op_type in ("Reshape", "Slice")}
    assert read == {"Reshape": "c", "Slice": "r"}
    onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
