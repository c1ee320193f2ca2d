"""Bias correction knows which weights multiply padding: compared with what ONNX Runtime computes."""

from __future__ import annotations

import itertools

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.graph.correction import added_mean, inside_shares

WINDOWS = {
    "dilated on one pixel": ((1, 1), (2, 2), {"dilations": [2, 2], "pads": [1, 1, 1, 1]}),
    "as large as the map": ((3, 2), (3, 3), {"pads": [1, 1, 1, 1]}),
    "strides": ((5, 4), (3, 5), {"pads": [2, 0, 1, 4], "strides": [2, 3]}),
    "upper": ((3, 4), (4, 2), {"auto_pad": "SAME_UPPER", "strides": [2, 1]}),
    "lower": ((3, 4), (4, 2), {"auto_pad": "SAME_LOWER", "strides": [2, 1]}),
    "valid": ((5, 4), (3, 1), {"auto_pad": "VALID", "strides": [2, 2]}),
    "rows": ((3,), (3,), {"pads": [2, 2], "dilations": [2]}),
    "usual": ((20, 20), (3, 3), {"pads": [1, 1, 1, 1]}),
}


def convolved(image, weight, given):
    info = helper.make_tensor_value_info
    node = helper.make_node("Conv", ["x", "w"], ["y"], **given)
    graph = helper.make_graph([node], "g", [info("x", TensorProto.FLOAT, image.shape)],
                              [info("y", TensorProto.FLOAT, None)], [numpy_helper.from_array(weight, "w")])  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return node, session.run(None, {"x": image})[0]


@pytest.mark.parametrize("name", WINDOWS)
def test_how_often_each_weight_lies_inside(name):
    """A kernel with a single 1 on a map of ones gives 1 where that weight is inside, and 0 in the padding."""
    sizes, kernel, given = WINDOWS[name]
    expected = np.zeros(kernel, np.float32)
    for place in itertools.product(*map(range, kernel)):
        weight = np.zeros((1, 1, *kernel), np.float32)
        weight[(0, 0, *place)] = 1
        node, output = convolved(np.ones((1, 1, *sizes), np.float32), weight, given)
        expected[place] = output.mean()
    np.testing.assert_allclose(inside_shares(node, sizes, kernel), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["dilated on one pixel", "as large as the map", "rows"])
@pytest.mark.parametrize("group", [1, 2])
def test_what_rounding_adds_is_what_a_run_shows(name, group):
    """The map of each channel is even, so that its mean tells all."""
    sizes, kernel, given = WINDOWS[name]
    numbers = np.random.default_rng(0)
    means = numbers.uniform(1, 2, (2, 4)).astype(np.float32)
    weights = numbers.normal(0, 1, (2, 6, 4 // group, *kernel)).astype(np.float32)
    found = []
    for mean, weight in zip(means, weights):
        image = np.ones((1, 4, *sizes), np.float32) * mean.reshape(1, 4, *[1] * len(sizes))
        node, output = convolved(image, weight, {**given, "group": group})
        found.append(output.mean(axis=(0, *range(2, output.ndim))))
    added = added_mean(node, *weights, tuple(means), (1, 4, *sizes))
    np.testing.assert_allclose(added, found[1] - found[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 2, 20, 20), (1, 2, 4, 4), ()])
def test_of_a_usual_map_every_weight_counts_whole(shape):
    numbers = np.random.default_rng(0)
    weight, rounded = numbers.normal(0, 1, (2, 3, 2, 3, 3)).astype(np.float32)
    before, after = numbers.uniform(0, 1, (2, 2)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    expected = np.einsum("ocij,c->o", rounded, after) - np.einsum("ocij,c->o", weight, before)
    np.testing.assert_allclose(added_mean(node, weight, rounded, (before, after), shape), expected, atol=1e-5)
