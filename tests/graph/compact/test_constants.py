"""Dead filters give constants. They go into biases, and where zeros are padded a few of them stay for the others."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph.compact.networks import bias, compacted, model, node, shapes, weights

ACTIVATIONS = {
    "Relu": {}, "LeakyRelu": {"alpha": 0.1}, "Sigmoid": {}, "Tanh": {}, "HardSigmoid": {}, "Elu": {}, "Softplus": {},
    "Selu": {}, "Abs": {}, "MaxPool": {"kernel_shape": [3, 3], "pads": [1] * 4}, "GlobalAveragePool": {},
    "AveragePool": {"kernel_shape": [2, 2]},
}  # fmt: skip


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_a_constant_goes_through_what_follows_into_the_bias(kind):
    nodes = [
        node("Conv", "x w b", "a", pads=[1] * 4), node(kind, "a", "r", **ACTIVATIONS[kind]), node("Conv", "r v", "y"),
    ]  # fmt: skip
    made, report = compacted(model(nodes, w=weights(6, 3, 3, 3, dead=[0, 4]), b=bias(6), v=weights(5, 6, 1, 1)))
    assert shapes(made) == {"a": (4, 3, 3, 3), "y": (5, 4, 1, 1)}
    assert len(made.graph.node[-1].input) == 3 and report.before.dead == 2


@pytest.mark.parametrize(("pads", "kernel", "left"), [([0] * 4, 3, 3), ([1] * 4, 3, 4), ([2, 0, 0, 1], 1, 4)])
def test_where_zeros_are_padded_one_constant_stays_for_the_others(pads, kernel, left):
    nodes = [node("Conv", "x w b", "a"), node("Relu", "a", "r"), node("Conv", "r v c", "y", pads=pads)]
    held = {"w": weights(8, 3, 1, 1, dead=[1, 2, 3, 5, 7]), "b": bias(8), "c": bias(4)}
    made, _ = compacted(model(nodes, v=weights(4, 8, kernel, kernel), **held))
    assert shapes(made) == {"a": (left, 3, 1, 1), "y": (4, left, kernel, kernel)}


def test_constants_that_are_zero_need_no_channel_at_the_border():
    nodes = [node("Conv", "x w b", "a"), node("Relu", "a", "r"), node("Conv", "r v", "y", auto_pad="SAME_UPPER")]
    held = {"w": weights(8, 3, 1, 1, dead=[1, 2, 3]), "b": -bias(8), "v": weights(4, 8, 3, 3)}
    made, _ = compacted(model(nodes, **held))
    assert shapes(made)["y"] == (4, 5, 3, 3) and len(made.graph.node[-1].input) == 2


def test_behind_a_depthwise_layer_nine_maps_stand_for_all():
    nodes = [
        node("Conv", "x w b", "a"), node("Relu", "a", "r"), node("Conv", "r d e", "m", pads=[1] * 4, group=40),
        node("LeakyRelu", "m", "n"), node("Conv", "n v", "y"),
    ]  # fmt: skip
    held = {"w": weights(40, 3, 1, 1, dead=range(4, 40)), "b": bias(40), "d": weights(40, 1, 3, 3), "e": bias(40)}
    made, _ = compacted(model(nodes, v=weights(6, 40, 1, 1), **held))
    left = shapes(made)["m"][0]
    assert 4 < left <= 4 + 9 and shapes(made)["y"] == (6, left, 1, 1)
    assert next(a.i for a in made.graph.node[2].attribute if a.name == "group") == left


def test_a_channel_of_a_gate_times_zero_goes():
    nodes = [
        node("Conv", "x w b", "a"), node("Relu", "a", "r"), node("GlobalAveragePool", "r", "p"),
        node("Conv", "p s", "q"), node("Relu", "q", "q2"), node("Conv", "q2 t", "u"), node("Sigmoid", "u", "g"),
        node("Mul", "r g", "m"), node("Conv", "m v", "y", pads=[1] * 4),
    ]  # fmt: skip
    held = {"w": weights(8, 3, 1, 1, dead=[2, 3, 6]), "b": -bias(8), "s": weights(4, 8, 1, 1), "t": weights(8, 4, 1, 1)}
    made, _ = compacted(model(nodes, v=weights(5, 8, 3, 3), **held))
    assert shapes(made) == {"a": (5, 3, 1, 1), "q": (4, 5, 1, 1), "u": (5, 4, 1, 1), "y": (5, 5, 3, 3)}


def test_a_constant_that_is_not_zero_stays_in_front_of_a_gate():
    nodes = [
        node("Conv", "x w b", "a"), node("GlobalMaxPool", "a", "p"), node("Conv", "p t", "u"),
        node("Sigmoid", "u", "g"), node("Mul", "a g", "m"), node("Conv", "m v", "y"),
    ]  # fmt: skip
    held = {"w": weights(8, 3, 1, 1, dead=[2, 3]), "b": bias(8), "t": weights(8, 8, 1, 1), "v": weights(5, 8, 1, 1)}
    assert shapes(compacted(model(nodes, **held))[0])["a"] == (8, 3, 1, 1)


def test_batch_normalisation_that_cannot_be_folded_is_followed():
    nodes = [
        node("Conv", "x w", "a"), node("Relu", "a", "r"), node("BatchNormalization", "r g h m s", "n"),
        node("Relu", "n", "n2"), node("Conv", "n2 v", "y"),
    ]  # fmt: skip
    gamma = np.array([0, 1, 2, 0, 1, 1], np.float32)
    held = {"w": weights(6, 3, 3, 3, dead=[1]), "g": gamma, "h": bias(6), "m": bias(6), "s": bias(6)}
    made, _ = compacted(model(nodes, v=weights(4, 6, 1, 1), **held))
    assert shapes(made)["y"] == (4, 3, 1, 1), "gamma is 0 for two channels, and one filter is dead"


def test_products_take_constants_too():
    nodes = [
        node("Conv", "x w b", "a"), node("Relu", "a", "r"), node("GlobalAveragePool", "r", "p"),
        node("Flatten", "p", "f"), node("Gemm", "f g h", "k", transB=1), node("Relu", "k", "k2"),
        node("MatMul", "k2 o", "y"),
    ]  # fmt: skip
    held = {"w": weights(6, 3, 1, 1, dead=[0, 5]), "b": bias(6), "g": weights(8, 6, dead=[1, 2, 3]), "h": -bias(8)}
    made, _ = compacted(model(nodes, o=weights(4, 8).T.copy(), **held))
    assert shapes(made) == {"a": (4, 3, 1, 1), "k": (5, 4), "y": (5, 4)}


def test_a_network_that_is_all_dead_keeps_a_channel_of_each_layer():
    nodes = [node("Conv", "x w b", "a"), node("Relu", "a", "r"), node("Conv", "r v c", "y", pads=[1] * 4)]
    held = {"w": np.zeros((6, 3, 1, 1), np.float32), "b": bias(6), "v": weights(4, 6, 3, 3), "c": bias(4)}
    assert shapes(compacted(model(nodes, **held))[0]) == {"a": (1, 3, 1, 1), "y": (4, 1, 3, 3)}


def test_values_that_are_no_numbers_stay():
    nodes = [node("Conv", "x w b", "a"), node("Log", "a", "r"), node("Conv", "r v", "y")]
    held = {"w": weights(4, 3, 1, 1, dead=[0, 1]), "b": np.array([0, 1, 9, 9], np.float32)}
    made, _ = compacted(model(nodes, v=weights(2, 4, 1, 1, unread=[1]), **held))
    assert shapes(made)["y"] == (2, 3, 1, 1), "the log of 0 is no number"
