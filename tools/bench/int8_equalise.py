"""Equalisation: a way of the literature to change the weights before they are rounded."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_runtime.graph.network import Network

PASSING = ("LeakyRelu", "Relu")  # a channel that is twice as large before them is twice as large behind them


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
