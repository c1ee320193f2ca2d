"""Reads the ranges that are stored in a quantised network."""

from __future__ import annotations

from typing import Dict, Tuple

import numpy as np

from edge_runtime.graph.network import Network


def stored_ranges(network: Network) -> Dict[str, Tuple[float, float]]:
    """Returns the ranges that the QuantizeLinear nodes of activations define: their smallest and largest values."""
    found: Dict[str, Tuple[float, float]] = {}
    for node in network.nodes:
        if node.op_type != "QuantizeLinear" or node.input[0] in network.constants:
            continue
        scale = network.constants[node.input[1]].astype(np.float64)
        zero = network.constants[node.input[2]] if len(node.input) > 2 else np.zeros((), np.uint8)
        if scale.size == 1:
            ends, middle = (-128, 127) if zero.dtype == np.int8 else (0, 255), int(zero.reshape(-1)[0])
            low, high = ((end - middle) * float(scale.reshape(-1)[0]) for end in ends)
            found[node.input[0]] = low, high
    return found
