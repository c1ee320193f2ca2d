"""Activation functions are recognised in the forms that exporters write."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from edge_runtime.graph.followers import followers
from edge_runtime.graph.network import Network

FORMS = {
    "silu": [("Sigmoid", ["x"], ["s"]), ("Mul", ["x", "s"], ["y"])],
    "hard swish": [("Add", ["x", "three"], ["a"]), ("Clip", ["a", "zero", "six"], ["c"]), ("Mul", ["x", "c"], ["m"]),
                   ("Div", ["m", "six"], ["y"])],
    "hard sigmoid": [("HardSigmoid", ["x"], ["h"]), ("Mul", ["x", "h"], ["y"])],
    "leaky": [("LeakyRelu", ["x"], ["y"])],
}  # fmt: skip
EXPECTED = {
    "silu": lambda x: x / (1 + np.exp(-x)),
    "hard swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "hard sigmoid": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "leaky": lambda x: np.where(x < 0, 0.01 * x, x),
}


def network(nodes) -> Network:
    constants = [helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("three", 3), ("zero", 0), ("six", 6))]
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in ("input", "y")]
    made = [helper.make_node("Identity", ["input"], ["x"]), *(helper.make_node(*node) for node in nodes)]
    return Network(helper.make_model(helper.make_graph(made, "g", value[:1], value[1:], constants)))


@pytest.mark.parametrize("name", sorted(FORMS))
def test_recognised(name):
    found = followers(network(FORMS[name]))
    x = np.linspace(-9, 9, 50)
    np.testing.assert_allclose(found["x"](x), EXPECTED[name](x))


def test_what_somebody_else_reads_too_has_to_stay_as_it_is():
    assert "x" not in followers(network([*FORMS["silu"][:1], ("Mul", ["x", "s"], ["m"]), ("Add", ["m", "x"], ["y"])]))
