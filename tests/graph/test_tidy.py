"""One shape for graphs of all exporters: sorted, with single names, without what only passes a tensor on."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge_runtime.graph.network import Network
from edge_runtime.graph.tidy import plain_products, tidy
from tests.graph.test_folding import network, node

W = np.arange(6, dtype=np.float32).reshape(3, 2) / 5


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def kinds(found: Network):
    return [each.op_type for each in found.nodes]


def test_what_passes_on_is_removed():
    dropout = helper.make_node("Dropout", ["b"], ["c"])
    found = network(
        node("Relu", "x", "a"), node("Identity", "a", "b"), dropout, node("Cast", "c", "d", to=TensorProto.FLOAT),
        node("Neg", "d", "y"),
    )  # fmt: skip
    tidy(found)
    assert kinds(found) == ["Relu", "Neg"] and found.nodes[1].input[0] == "a"


@pytest.mark.parametrize(("last", "constants"), [
    (node("Identity", "a", "y"), {}),
    (node("Cast", "a", "y", to=TensorProto.FLOAT16), {}),
    (helper.make_node("Dropout", ["a", "", "on"], ["y"]), {"on": np.array(True)}),
])  # fmt: skip
def test_what_does_something_or_names_an_output_stays(last, constants):
    found = network(node("Relu", "x", "a"), last, **constants)
    tidy(found)
    assert len(found.nodes) == 2


def test_outputs_that_nobody_reads_are_removed():
    pool = helper.make_node("MaxPool", ["x"], ["a", "places"], kernel_shape=[1])
    found = network(pool, helper.make_node("Dropout", ["a"], ["b", "mask"]), node("Neg", "b", "y"))
    tidy(found)
    assert kinds(found) == ["MaxPool", "Neg"] and list(found.nodes[0].output) == ["a"]
    found = network(pool, node("Cast", "places", "y", to=TensorProto.FLOAT))
    tidy(found)
    assert list(found.nodes[0].output) == ["a", "places"]


def test_what_a_branch_reads_keeps_its_name():
    info = helper.make_tensor_value_info("t", TensorProto.FLOAT, None)
    branch = helper.make_graph([node("Neg", "b", "t")], "branch", [], [info])
    choice = helper.make_node("If", ["flag"], ["y"], then_branch=branch, else_branch=branch)
    found = network(node("Relu", "x", "a"), node("Identity", "a", "b"), choice, flag=np.array(True))
    tidy(found)
    assert kinds(found) == ["Relu", "Identity", "If"]


def test_shared_constants_stay_shared():
    found = network(node("Identity", "w", "v"), node("Mul", "x w", "a"), node("Mul", "a v", "y"), w=np.float32(2))
    tidy(found)
    assert [each.input[1] for each in found.nodes] == ["w", "w"]


def test_any_order_of_nodes():
    nodes = [node("Relu", "x", "a"), node("Neg", "a", "b"), node("Exp", "a", "c"), node("Add", "b c", "y")]
    for order in ([3, 2, 1, 0], [1, 3, 0, 2], [0, 1, 2, 3]):
        found = network(*(nodes[k] for k in order))
        tidy(found)
        seen = {"x"}
        for each in found.nodes:
            assert seen.issuperset(each.input)
            seen.update(each.output)
    assert kinds(found) == ["Relu", "Neg", "Exp", "Add"], "an order that is right stays"


def test_doubled_names_become_single():
    nodes = [node("Relu", "x", "a", name="n"), node("Neg", "a", "b", name="n"), node("Exp", "b", "c", name="n_2"),
             node("Exp", "c", "d", name="n"), node("Exp", "d", "y")]  # fmt: skip
    found = network(*nodes)
    tidy(found)
    assert [each.name for each in found.nodes] == ["n", "n_3", "n_2", "n_4", ""]


def test_constants_are_no_inputs():
    found = network(node("Mul", "x w", "y"), w=np.float32(2))
    found.model.ir_version = 3
    found.model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, []))
    tidy(found)
    assert [value.name for value in found.model.graph.input] == ["x"] and found.model.ir_version >= 4


BIASES = [None, 3, [1, 2], [[1, 2]], [[1], [2]], [[1, 2], [3, 4]]]


@pytest.mark.parametrize("numbers", BIASES, ids=str)
@pytest.mark.parametrize(("turned", "scaled"), [(0, {}), (1, {"alpha": 0.5, "beta": -2.0})])
def test_products_become_plain(numbers, turned, scaled):
    bias = None if numbers is None else np.array(numbers, np.float32)
    constants = {"w": W.T.copy() if turned else W, **({} if bias is None else {"b": bias})}
    names = "x w" if bias is None else "x w b"
    found = network(node("Gemm", names, "y", transB=turned, **scaled), **constants)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    expected = run(found.model, x)
    plain_products(found)
    np.testing.assert_allclose(run(found.model, x), expected, rtol=1e-6)
    (gemm,) = found.nodes
    assert all(a.f == 1 for a in gemm.attribute if a.name in ("alpha", "beta"))
    if bias is not None and bias.shape not in ((2, 1), (2, 2)):
        assert found.constants[gemm.input[2]].shape == (2,), "one value for each column"
