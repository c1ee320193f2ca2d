"""Finds the activation functions that follow the tensors of a network."""

from __future__ import annotations

from typing import Callable, Dict, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.network import Network

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]


def silu(x: Floats) -> Floats:
    """Returns x * sigmoid(x), for x of any shape."""
    y: Floats = x / (1 + np.exp(-np.clip(x, -60, 60)))
    return y


def hard_swish(x: Floats) -> Floats:
    """Returns x * clip(x + 3, 0, 6) / 6, for x of any shape."""
    y: Floats = x * np.clip(x + 3, 0, 6) / 6
    return y


def followers(network: Network) -> Dict[str, Function]:
    """Returns, by tensor name, the activation function that is the only reader of that tensor."""
    found = {name: _function(network, name) for node in network.nodes for name in node.output}
    return {name: function for name, function in found.items() if function is not None}


def _function(network: Network, name: str) -> Optional[Function]:
    readers = network.consumers(name)
    kinds = sorted(node.op_type for node in readers)
    if kinds == ["LeakyRelu"]:
        slope = next((a.f for a in readers[0].attribute if a.name == "alpha"), 0.01)
        return lambda x: np.where(x < 0, slope * x, x)
    if kinds == ["Mul", "Sigmoid"]:
        return silu
    if kinds in (["HardSwish"], ["HardSigmoid", "Mul"]):
        return hard_swish
    if kinds == ["Add", "Mul"] and any(i in network.constants for n in readers if n.op_type == "Add" for i in n.input):
        return hard_swish
    return None
