"""A branch whose condition is known takes the place of its If, and the network gives the same values."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.graph.branches import settle_branches
from edge_runtime.graph.network import Network
from edge_runtime.graph.prepare import float_network, prepare


def node(op: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], **attributes)


def info(name: str, shape=None, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def branch(*nodes: onnx.NodeProto, outputs: str = "t", **constants: object) -> onnx.GraphProto:
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return helper.make_graph(list(nodes), "b", [], [info(name) for name in outputs.split()], tensors)


def model(*nodes: onnx.NodeProto, opset: int = 13, shape=(1, 3, 4, 4), **constants: object) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "g", [info("x", shape)], [info("y")], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


def run(found: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(found.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.arange(-24, 24, dtype=np.float32).reshape(1, 3, 4, 4)})[0]


def choice(then: onnx.GraphProto, other: onnx.GraphProto, outputs: str = "y", flag: str = "flag") -> onnx.NodeProto:
    return helper.make_node("If", [flag], outputs.split(), then_branch=then, else_branch=other)


NEGATIVE = branch(node("Neg", "x", "t"))
SCALED = branch(helper.make_node("Constant", [], ["k"], value_float=3.0), node("Mul", "x k", "a"),
                node("Add", "a own", "t"), own=np.float32(2))  # fmt: skip
NESTED = branch(choice(NEGATIVE, SCALED, "t2", "inner"), node("Add", "t2 own", "t"), inner=np.array(False),
                own=np.float32(7))  # fmt: skip
TWO = branch(node("Neg", "x", "t"), node("Abs", "t", "u"), outputs="u t")
OUTER = branch(node("Identity", "x", "t"))
FIXED = branch(outputs="own", own=np.full((1, 3, 4, 4), 5, np.float32))
KEPT = branch(node("Neg", "x", "n"), choice(branch(node("Add", "n x", "t")), branch(node("Mul", "n n", "t")), "t", "c"))
BRANCHES = {"nodes": NEGATIVE, "constants": SCALED, "one in another": NESTED, "only a name from outside": OUTER,
            "only a constant": FIXED}  # fmt: skip


@pytest.mark.parametrize("name", BRANCHES)
@pytest.mark.parametrize("flag", [True, False])
def test_the_branch_that_holds(name, flag):
    made = (BRANCHES[name], NEGATIVE) if flag else (NEGATIVE, BRANCHES[name])
    twice = [choice(*made, "one"), choice(*made, "two"), node("Add", "one two", "y")]
    for found in (model(choice(*made), flag=np.array(flag)), model(*twice, flag=np.array([flag]))):
        expected = run(found)
        network = prepare(found)
        assert "If" not in [each.op_type for each in network.nodes]
        np.testing.assert_allclose(run(network.model), expected)


def test_two_outputs():
    found = model(choice(TWO, TWO, "one two"), node("Mul", "one two", "y"), flag=np.array(True))
    expected = run(found)
    np.testing.assert_array_equal(run(prepare(found).model), expected)


def test_a_branch_that_stays_reads_what_was_renamed():
    """The outer condition is known, the inner one depends on the picture."""
    positive = [node("ReduceMax", "x", "most", keepdims=0), node("Greater", "most zero", "c")]
    found = model(*positive, choice(KEPT, NEGATIVE), flag=np.array(True), zero=np.float32(0))
    expected = run(found)
    network = prepare(found)
    assert [each.op_type for each in network.nodes].count("If") == 1
    np.testing.assert_array_equal(run(network.model), expected)


def test_an_old_opset_inside_a_branch_that_holds():
    found = model(choice(branch(node("Unsqueeze", "x", "t", axes=[0])), NEGATIVE), opset=11, flag=np.array(True))
    expected = run(found)
    np.testing.assert_array_equal(run(prepare(found).model), expected)


def test_a_condition_on_sizes_is_known_when_the_input_has_its_size():
    sizes = [node("Shape", "x", "s"), node("Gather", "s i", "h"), node("Equal", "h four", "flag")]
    found = model(*sizes, choice(NEGATIVE, SCALED), shape=("n", 3, "h", "w"), i=np.int64(2), four=np.int64(4))
    expected = run(found)
    assert settle_branches(Network(onnx.ModelProto.FromString(found.SerializeToString()))) == 0
    network = float_network(found, (4, 4))
    assert [each.op_type for each in network.nodes] == ["Neg"]
    np.testing.assert_array_equal(run(network.model), expected)
