"""Networks of other floats compute in float32, with the same values and the same names."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.graph.float32 import to_float32

KINDS = {"float16": TensorProto.FLOAT16, "float64": TensorProto.DOUBLE, "bfloat16": TensorProto.BFLOAT16}


def model(kind: int, inside: int) -> onnx.ModelProto:
    """x + w, in a branch of an If, with a Cast before and a ConstantOfShape."""
    weight = helper.make_tensor("w", inside, [2, 3, 1, 1], np.arange(6, dtype=np.float32).tolist())
    zeros = helper.make_tensor("", inside, [1], [2.0])
    output = helper.make_tensor_value_info("t", inside, None)
    branch = helper.make_graph(
        [helper.make_node("Cast", ["x"], ["c"], to=inside), helper.make_node("Conv", ["c", "w"], ["a"]),
         helper.make_node("ConstantOfShape", ["s"], ["z"], value=zeros), helper.make_node("Add", ["a", "z"], ["t"])],
        "branch", [], [output],
    )  # fmt: skip
    nodes = [helper.make_node("If", ["flag"], ["y"], then_branch=branch, else_branch=branch)]
    constants = [
        weight,
        numpy_helper.from_array(np.array(True), "flag"),
        numpy_helper.from_array(np.ones(1, np.int64), "s"),
    ]
    given = helper.make_tensor_value_info("x", kind, [1, 3, 4, 4])
    graph = helper.make_graph(nodes, "g", [given], [helper.make_tensor_value_info("y", inside, None)], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("name", KINDS)
def test_all_of_it(name):
    found = model(KINDS[name], KINDS[name])
    if name == "float64":  # which is changed only where the weights of the main graph are float64
        conv = helper.make_node("Conv", ["x", "w"], ["unread"])
        found.graph.node.append(conv)
    assert to_float32(found) == name
    session = onnxruntime.InferenceSession(found.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [value.type for value in (*session.get_inputs(), *session.get_outputs())] == ["tensor(float)"] * 2
    (result,) = session.run(None, {"x": np.ones((1, 3, 4, 4), np.float32)})
    np.testing.assert_allclose(result[0, :, 0, 0], [0 + 1 + 2 + 2, 3 + 4 + 5 + 2])


def test_float32_is_left_alone():
    found = model(TensorProto.FLOAT, TensorProto.FLOAT)
    before = found.SerializeToString(deterministic=True)
    assert to_float32(found) == "" and found.SerializeToString(deterministic=True) == before


def test_float64_beside_float32_weights_is_left_alone():
    found = model(TensorProto.FLOAT, TensorProto.FLOAT)
    found.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float64), "d"))
    assert to_float32(found) == "" and found.graph.initializer[-1].data_type == TensorProto.DOUBLE


def test_weights_alone_are_no_float16_network():
    found = model(TensorProto.FLOAT, TensorProto.FLOAT)
    found.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float16), "h"))
    assert to_float32(found) == "" and found.graph.initializer[-1].data_type == TensorProto.FLOAT
