"""Reads the ranges that are stored in a quantised network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.graph.network import Network

if TYPE_CHECKING:
    import onnx


def stored_ranges(network: Network) -> Dict[str, Tuple[float, float]]:
    """Returns the ranges that the QuantizeLinear nodes of activations define: their smallest and largest values.

    Raises:
        ModelError: a scale is computed, or activations are rounded to another type than int8 or uint8.
    """
    found: Dict[str, Tuple[float, float]] = {}
    for node in network.nodes:
        if node.op_type != "QuantizeLinear" or node.input[0] in network.constants:
            continue
        scale, zero = _parameters(network, node)
        if scale.size == 1:
            ends, middle = (-128, 127) if zero.dtype == np.int8 else (0, 255), int(zero.reshape(-1)[0])
            low, high = ((end - middle) * float(scale.reshape(-1)[0]) for end in ends)
            found[node.input[0]] = low, high
    return found


def _parameters(network: Network, node: onnx.NodeProto) -> Tuple[NDArray[np.float64], NDArray[np.generic]]:
    names = [name for name in node.input[1:] if name]
    if any(name not in network.constants for name in names):
        fact = f"the scale of {node.input[0]} is computed in the network"
        raise ModelError(fact, hint="export it with constant scales, or calibrate its float original")
    zero = network.constants[names[1]] if len(names) > 1 else np.zeros((), np.uint8)
    if zero.dtype not in (np.int8, np.uint8):
        raise ModelError(f"{node.input[0]} is rounded to {zero.dtype}", hint="calibrate its float original")
    return network.constants[names[0]].astype(np.float64), zero
