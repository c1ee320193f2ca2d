"""Removes roundings from a quantised network: those that a runtime does not need, or all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Set

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.network import WEIGHTED, Network
from edge_runtime.graph.steps import dequantised

if TYPE_CHECKING:
    import onnx

Floats = NDArray[np.float32]
PAIR = ("QuantizeLinear", "DequantizeLinear")


def drop_redundant_rounding(model: onnx.ModelProto) -> onnx.ModelProto:
    """Keeps only the roundings directly before weighted operators, in place.

    Between two weighted operators the fused kernel then computes in float. OpenVINO is faster that way, and more exact
    because it rounds less. ONNX Runtime needs all roundings: they tell it which results to compute in 8 bits.
    """
    network = Network(model)
    weights = {n.output[0] for n in network.nodes if n.op_type == "DequantizeLinear" and _constant(network, n)}
    raw = _rounded(network)
    for node in network.nodes:
        if node.op_type not in PAIR:
            for place, name in enumerate(node.input):
                if name in raw and not _multiplied(node, place, weights):
                    node.input[place] = raw[name]
    _sweep(network)
    return network.model


def float_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Converts weights that multiply a float activation to float, in place. ONNX Runtime would do it in every run."""
    network = Network(model)
    weights = {n.output[0] for n in network.nodes if n.op_type == "DequantizeLinear" and _constant(network, n)}
    made: Dict[str, str] = {}
    for node in network.nodes:
        for place, name in enumerate(node.input[:2] if node.op_type in WEIGHTED else ()):
            maker, other = network.producer(name), network.producer(node.input[1 - place])
            if name not in weights or maker is None or (other is not None and other.op_type == "DequantizeLinear"):
                continue
            made[name] = made.get(name) or _float(network, maker)
            node.input[place] = made[name]
    _sweep(network)
    return network.model


def _multiplied(node: onnx.NodeProto, place: int, weights: Set[str]) -> bool:
    """Whether a node multiplies its input at `place` by one of the weights."""
    return place < 2 and node.op_type in WEIGHTED and len(node.input) > 1 and node.input[1 - place] in weights


def to_float(model: onnx.ModelProto) -> Network:
    """Returns a float network with the quantised weights and biases, and no rounding of activations."""
    network = Network(model)
    values: Dict[str, str] = {}
    for node in network.nodes:
        if node.op_type == "DequantizeLinear" and _constant(network, node):
            values[node.output[0]] = _float(network, node)
    raw = _rounded(network)
    for node in network.nodes:
        if node.op_type not in PAIR:
            for place, name in enumerate(node.input):
                node.input[place] = values.get(name, raw.get(name, name))
    _sweep(network)
    return network


def _rounded(network: Network) -> Dict[str, str]:
    """Returns {rounded activation: the activation before rounding}."""
    found: Dict[str, str] = {}
    for node in network.nodes:
        maker = network.producer(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if maker is not None and maker.op_type == "QuantizeLinear" and maker.input[0] not in network.constants:
            found[node.output[0]] = found.get(maker.input[0], maker.input[0])
    return found


def _constant(network: Network, node: onnx.NodeProto) -> bool:
    """Whether the node dequantises a constant. The constant may also be a float with its own QuantizeLinear."""
    maker = network.producer(node.input[0])
    source = node.input[0] if maker is None else maker.input[0]
    return all(name in network.constants for name in (source, *filter(None, node.input[1:])))


def _float(network: Network, node: onnx.NodeProto) -> str:
    """Adds what the node gives as a constant. A network that was float between two roundings has such names already."""
    name = f"{node.output[0]}.float"
    while name in network.constants or network.producer(name) is not None:
        name += "_"
    return network.set_constant(name, _dequantised(network, node))


def _dequantised(network: Network, node: onnx.NodeProto) -> Floats:
    maker = network.producer(node.input[0])
    if maker is not None:
        return network.constants[maker.input[0]].astype(np.float32)
    zero = network.constants[node.input[2]] if len(node.input) > 2 and node.input[2] else None
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    return dequantised(network.constants[node.input[0]], network.constants[node.input[1]], zero, axis)


def _sweep(network: Network) -> None:
    """Removes every node whose result is not read."""
    wanted: Set[str] = set(network.outputs)
    kept: List[onnx.NodeProto] = []
    for node in reversed(network.nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(network.reads(node))
    network.replace_nodes(kept[::-1])
