"""2:4 sparsity is seen in stored weights of convolutions, in float and behind Q/DQ."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.graph import sparsity


def network(weight: np.ndarray, quantised: bool = False) -> onnx.ModelProto:
    read = "w"
    nodes, tensors = [], [numpy_helper.from_array(weight.astype(np.int8 if quantised else np.float32), "w")]
    if quantised:
        tensors.append(numpy_helper.from_array(np.float32(0.1), "scale"))
        nodes.append(helper.make_node("DequantizeLinear", ["w", "scale"], ["dq"]))
        read = "dq"
    nodes.append(helper.make_node("Conv", ["x", read], ["y"]))
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    return helper.make_model(helper.make_graph(nodes, "g", shapes[:1], shapes[1:], tensors))


def half(inputs: int = 8) -> np.ndarray:
    weight = np.arange(1, 1 + 4 * inputs * 9).reshape(4, inputs, 3, 3) % 100 + 1
    weight[:, ::2] = 0
    return weight


@pytest.mark.parametrize("quantised", [False, True])
def test_the_pattern_is_seen(quantised):
    assert sparsity.layers(network(half(), quantised)) == ["y"]
    assert sparsity.fours(half(10)).shape == (4 * 2 * 9, 4), "two inputs behind the last group"


@pytest.mark.parametrize("kind", ["one group more", "dense", "depthwise", "nothing left", "computed"])
def test_what_lacks_it_is_not_named(kind):
    weight = half()
    if kind == "one group more":
        weight[0, 0, 0, 0] = 1
    model = network({"dense": weight + 1, "depthwise": weight[:, :1], "nothing left": weight * 0}.get(kind, weight))
    if kind == "computed":
        model.graph.node[0].input[1] = "somewhere"
    assert sparsity.layers(model) == []
