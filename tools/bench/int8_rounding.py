"""Ways of the literature to change the weights before they are rounded: equalisation, and rounding that is learned."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from edge_runtime.graph.network import Network

PASSING = ("LeakyRelu", "Relu")  # a channel that is twice as large before them is twice as large behind them
DAMPING = 0.01  # part of the mean of the diagonal, so that the matrix can be inverted
PLACES = 256  # sampled in each picture


def equalise(network: Network) -> int:
    """Gives the channels between two convolutions equal weights on both sides (Nagel et al. 2019, arXiv 1906.04721).

    Returns the number of pairs; the network computes the same as before.
    """
    pairs = 0
    for first in network.nodes:
        second = _next(network, first)
        if second is None:
            continue
        one, other = (network.constants[node.input[1]] for node in (first, second))
        alone = other.shape[1] == 1 and _attribute(second, "group", 1) == len(one)  # depthwise
        if not alone and other.shape[1] != len(one):
            continue
        pairs += 1
        reads = other if alone else other.swapaxes(0, 1)
        high, low = (np.abs(part).reshape(len(one), -1).max(axis=1) for part in (one, reads))
        by = np.where((high > 0) & (low > 0), np.sqrt(high / np.maximum(low, 1e-12)), 1.0)
        by = np.maximum(by, 1e-6).astype(np.float32)
        network.set_constant(first.input[1], one / by.reshape(-1, 1, 1, 1))
        if len(first.input) > 2:
            network.set_constant(first.input[2], network.constants[first.input[2]] / by)
        network.set_constant(second.input[1], other * by.reshape((-1, 1, 1, 1) if alone else (1, -1, 1, 1)))
    return pairs


def _next(network: Network, node: Any) -> Any:
    """The convolution that alone reads a convolution's output, perhaps behind one of `PASSING`; None if none does."""
    if node.op_type != "Conv" or network.weight(node) is None:
        return None
    readers = network.consumers(node.output[0])
    if len(readers) == 1 and readers[0].op_type in PASSING:
        readers = network.consumers(readers[0].output[0])
    known = len(readers) == 1 and readers[0].op_type == "Conv" and network.weight(readers[0]) is not None
    single = known and all(len(network.consumers(each.input[1])) == 1 for each in (node, readers[0]))
    return readers[0] if single else None


def _attribute(node: Any, name: str, default: Any) -> Any:
    from onnx import helper

    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), default)


class LearnedRounding:
    """Rounds each weight up or down so that the outputs of its layer change least on the pictures.

    Frantar et al. 2022, GPTQ, arXiv 2210.17323: column by column, the error of each is given to those that follow,
    by the inverse of the inputs' second moments.
    """

    def __init__(self, network: Network) -> None:
        self.convs = [node for node in network.nodes if node.op_type == "Conv" and network.weight(node) is not None]
        self.names = list(dict.fromkeys(node.input[0] for node in self.convs))
        self._network = network
        self._moments: Dict[str, Any] = {}
        self._random = np.random.default_rng(0)

    def see(self, values: Dict[str, np.ndarray]) -> None:
        """Takes the (1, C, H, W) inputs of the convolutions for one picture."""
        for node in self.convs:
            columns = self._columns(node, values[node.input[0]][0])
            found = columns.swapaxes(1, 2) @ columns
            self._moments[node.output[0]] = self._moments.get(node.output[0], 0) + found

    def write(self) -> None:
        """Replaces the weights by rounded ones, whose largest of each channel stay as they are."""
        for node in self.convs:
            weight = self._network.constants[node.input[1]].astype(np.float64)
            groups = _attribute(node, "group", 1)
            rounded = _rounded(weight.reshape(groups, len(weight) // groups, -1), self._moments[node.output[0]])
            self._network.set_constant(node.input[1], rounded.reshape(weight.shape).astype(np.float32))

    def _columns(self, node: Any, values: np.ndarray) -> np.ndarray:
        """What the filters see at some places, (groups, places, weights of a filter)."""
        weight, groups = self._network.constants[node.input[1]], _attribute(node, "group", 1)
        top, left, bottom, right = _attribute(node, "pads", [0, 0, 0, 0])
        (down, across), (high, wide) = _attribute(node, "dilations", [1, 1]), weight.shape[2:]
        padded = np.pad(values, ((0, 0), (top, bottom), (left, right)))
        seen = sliding_window_view(padded, ((high - 1) * down + 1, (wide - 1) * across + 1), axis=(1, 2))
        rows, columns = _attribute(node, "strides", [1, 1])
        seen = seen[:, ::rows, ::columns, ::down, ::across]
        some = self._random.integers(0, seen.shape[1] * seen.shape[2], PLACES)
        chosen = seen[:, some // seen.shape[2], some % seen.shape[2]]  # (C, places, high, wide)
        split = chosen.reshape(groups, len(values) // groups, PLACES, high * wide).swapaxes(1, 2)
        return split.reshape(groups, PLACES, -1).astype(np.float64)


def _rounded(weight: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Returns the weights (groups, filters, n) on their grids; `moments` is (groups, n, n)."""
    count = weight.shape[2]
    moments = moments + np.eye(count) * (DAMPING * np.einsum("gnn->g", moments) / count + 1e-9)[:, None, None]
    upper = np.linalg.cholesky(np.linalg.inv(moments)).swapaxes(1, 2)
    largest = np.abs(weight).max(axis=2, keepdims=True)
    scale, fixed = np.maximum(largest / 127, 1e-12), np.abs(weight) == largest
    left, steps = weight.copy(), []
    for place in range(count):
        column = left[:, :, place : place + 1]
        step = np.clip(np.round(np.where(fixed, weight, left)[:, :, place : place + 1] / scale), -127, 127)
        error = (column - step * scale) / upper[:, place, place, None, None]
        left[:, :, place + 1 :] -= error * upper[:, None, place, place + 1 :]
        steps.append(step * scale)
    return np.concatenate(steps, axis=2)
