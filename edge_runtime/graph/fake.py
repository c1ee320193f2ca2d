"""Adds rounding whose parameters are inputs, so that one session can try any range on any activation."""

from __future__ import annotations

from math import frexp
from typing import TYPE_CHECKING, Collection, Dict, List, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.network import Network

if TYPE_CHECKING:
    import onnx

LEVELS = 256
LARGEST = 3e38
FINEST = 100  # an activation that is not rounded has steps of a power of two, so small that all its bits stay


def insert(network: Network, names: Collection[str]) -> onnx.ModelProto:
    """Rounds the named activations, in place. The nodes that read activation `NAME` now read `NAME.fake`.

    Each activation gets the scalar inputs that `parameters` lists.
    """
    from onnx import helper

    nodes: List[onnx.NodeProto] = []

    def rounding(name: str) -> List[onnx.NodeProto]:
        kinds = ("inverse", "first", "last", "step")
        network.model.graph.input.extend(helper.make_tensor_value_info(f"{name}.{kind}", 1, []) for kind in kinds)
        steps = [f"{name}.scaled", f"{name}.rounded", f"{name}.clipped", f"{name}.fake"]
        return [
            helper.make_node("Mul", [name, f"{name}.inverse"], steps[:1]),
            helper.make_node("Round", steps[:1], steps[1:2]),
            helper.make_node("Clip", [steps[1], f"{name}.first", f"{name}.last"], steps[2:3]),
            helper.make_node("Mul", [steps[2], f"{name}.step"], steps[3:]),
        ]

    for name in network.inputs:
        nodes.extend(rounding(name) if name in names else [])
    for node in network.nodes:
        for place, name in enumerate(node.input):
            if name in names:
                node.input[place] = f"{name}.fake"
        nodes.append(node)
        for name in node.output:
            nodes.extend(rounding(name) if name in names else [])
    network.replace_nodes(nodes)
    return network.model


def parameters(name: str, limits: Tuple[float, float], rounded: bool = True) -> Dict[str, NDArray[np.float32]]:
    """Returns values for the inputs of one activation.

    With `rounded` they round it to 256 steps within its limits. Otherwise they leave it alone.
    Each value is a scalar, an array of shape ().
    """
    low, high = limits
    if rounded:
        step = (high - low) / (LEVELS - 1)
        zero = float(np.clip(np.round(-low / step), 0, LEVELS - 1))
        first, last = -zero, LEVELS - 1 - zero
    else:
        step, first, last = 2.0 ** max(-FINEST, frexp(max(-low, high))[1] - 126), -LARGEST, LARGEST
    values = {"inverse": 1 / step, "first": first, "last": last, "step": step}
    return {f"{name}.{kind}": np.array(value, np.float32) for kind, value in values.items()}


def rounded(values: NDArray[np.float32], limits: Tuple[float, float]) -> NDArray[np.float32]:
    """Returns the values rounded in the same way, by numpy; any shape."""
    by = {kind.rsplit(".", 1)[1]: value for kind, value in parameters("", limits).items()}
    found: NDArray[np.float32] = np.clip(np.round(values * by["inverse"]), by["first"], by["last"]) * by["step"]
    return found
