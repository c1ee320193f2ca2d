"""What does not depend on the picture is computed once; what would grow the file, or is random, is not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.graph.folding import fold_constants
from edge_runtime.graph.network import Network


def network(*nodes: onnx.NodeProto, opset: int = 17, outputs=("y",), **constants: object) -> Network:
    """A network of these nodes, with an input `x` of (2, 3)."""
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])]
    graph = helper.make_graph(list(nodes), "g", given, infos, tensors)
    return Network(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8))


def node(op: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], **attributes)


W = np.arange(6, dtype=np.float32).reshape(2, 3)
LAST = node("Add", "x w2", "y")
CASES = {
    "Identity": ([node("Identity", "w", "w2")], {}, W),
    "Cast": ([node("Cast", "w", "w2", to=TensorProto.FLOAT)], {"w": W.astype(np.float16)}, W),
    "Mul": ([node("Mul", "w k", "w2")], {"k": np.float32(3)}, 3 * W),
    "two steps": ([node("Sub", "w k", "a"), node("Div", "a k", "w2")], {"k": np.float32(2)}, (W - 2) / 2),
    "Transpose": ([node("Transpose", "w", "a", perm=[1, 0]), node("Transpose", "a", "w2", perm=[1, 0])], {}, W),
    "Reshape": ([node("Reshape", "w s", "w2")], {"s": np.array([3, 2], np.int64)}, W.reshape(3, 2)),
    "Unsqueeze": ([node("Unsqueeze", "w k", "w2")], {"k": np.array([0], np.int64)}, W[None]),
    "Expand": ([node("Expand", "w s", "w2")], {"s": np.array([4, 2, 3], np.int64)}, np.stack([W] * 4)),
    "ConstantOfShape": ([node("ConstantOfShape", "s", "w2")], {"s": np.array([2, 3], np.int64)}, np.zeros((2, 3))),
    "Range": ([node("Range", "a b c", "w2")], {n: np.float32(v) for n, v in zip("abc", (0, 3, 1))}, [0, 1, 2]),
    "Shape": ([node("Shape", "w", "s"), node("ConstantOfShape", "s", "w2")], {}, np.zeros((2, 3))),
    "DequantizeLinear": (
        [node("DequantizeLinear", "q s z", "w2", axis=0)],
        {"q": W.astype(np.int8), "s": np.array([0.5, 2], np.float32), "z": np.array([0, 1], np.int8)},
        (W - [[0], [1]]) * [[0.5], [2]],
    ),
    "QuantizeLinear": (
        [node("QuantizeLinear", "w s z", "q"), node("DequantizeLinear", "q s z", "w2")],
        {"s": np.float32(0.75), "z": np.uint8(3)},
        np.round(W / 0.75) * 0.75,
    ),
}


@pytest.mark.parametrize("opset", [13, 17, 21])
@pytest.mark.parametrize("name", CASES)
def test_values(name, opset):
    nodes, constants, expected = CASES[name]
    found = network(*nodes, LAST, opset=opset, **{"w": W, **constants})
    assert fold_constants(found) == len(nodes)
    assert [each.op_type for each in found.nodes] == ["Add"] and set(found.constants) == {"w2"}
    np.testing.assert_allclose(found.constants["w2"], expected, rtol=1e-6)


@pytest.mark.parametrize("nodes", [
    [node("ConstantOfShape", "large", "w2")],
    [node("Expand", "w large", "w2")],
    [node("Tile", "w many", "w2")],
    [node("Range", "zero far one", "w2")],
    [node("RandomNormalLike", "w", "w2")],
    [helper.make_node("RandomNormal", [], ["w2"], shape=[2, 3])],
    [helper.make_node("Unknown", ["w"], ["w2"], domain="somebody.else")],
    [node("Add", "w x", "w2")],
])  # fmt: skip
def test_what_stays(nodes):
    numbers = {"zero": np.float32(0), "one": np.float32(1), "far": np.float32(1e9)}
    sizes = {"large": np.array([2000, 2, 3000], np.int64), "many": np.array([3000, 3000], np.int64)}
    found = network(*nodes, LAST, w=W, **numbers, **sizes)
    assert fold_constants(found) == 0 and len(found.nodes) == 2


def test_an_output_of_the_network_and_texts_stay():
    text = helper.make_node("Constant", [], ["t"], value_string="a")
    found = network(node("Neg", "w", "y"), text, node("Identity", "t", "t2"), outputs=("y", "t2"), w=W)
    assert fold_constants(found) == 0


def test_all_together_grow_the_file_only_so_far():
    large = np.zeros((1 << 18,), np.float32)  # 1 MiB
    names = [f"w{k}" for k in range(60)]
    found = network(*(node("Neg", "w", name) for name in names), node("Sum", " ".join(["x", *names]), "y"), w=large)
    assert 16 <= fold_constants(found) < 60
