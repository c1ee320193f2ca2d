"""Gives graphs of all exporters one shape: sorted nodes, single names, and nothing that only passes a tensor on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Set

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.network import DOMAINS, Network
from edge_runtime.graph.subgraphs import outer_names

if TYPE_CHECKING:
    import onnx

Floats = NDArray[np.float32]
# Operators with outputs that may be left out. Those of BatchNormalization say that it trains, before opset 14.
SIDES = ("Dropout", "MaxPool")
IR = 7  # version of the file format of opset 13; since 4, constants need not be inputs too


def tidy(network: Network) -> None:
    """Brings a network into the shape that the other passes expect, in place. Its function stays the same."""
    _only_real_inputs(network)
    _sort(network)
    _single_names(network)
    _drop_unread(network)
    _drop_passing(network)


def _only_real_inputs(network: Network) -> None:
    """Removes inputs that are constants. ONNX Runtime does not take such constants for constants."""
    graph = network.model.graph
    kept = [value for value in graph.input if value.name not in network.constants]
    if len(kept) < len(graph.input):
        del graph.input[:]
        graph.input.extend(kept)
        network.model.ir_version = max(network.model.ir_version, IR)


def _sort(network: Network) -> None:
    """Puts each node behind those that it reads. Nodes in such an order keep it."""
    nodes = network.nodes
    makers = {name: place for place, node in enumerate(nodes) for name in node.output if name}
    order: List[int] = []
    seen: Set[int] = set()
    for first in range(len(nodes)):
        stack = [first]
        while stack:
            place = stack[-1]
            before = [makers[name] for name in network.reads(nodes[place]) if name in makers]
            missing = [each for each in before if each not in seen and each not in stack]
            if missing and place not in seen:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            if place not in seen:
                seen.add(place)
                order.append(place)
    if order != list(range(len(nodes))):
        network.replace_nodes([nodes[place] for place in order])


def _single_names(network: Network) -> None:
    """Gives a node whose name an earlier node has another one. ONNX Runtime refuses networks with doubled names."""
    seen = {node.name for node in network.nodes}
    first: Set[str] = set()
    for node in network.nodes:
        if node.name in first:
            number = 2
            while f"{node.name}_{number}" in seen:
                number += 1
            node.name = f"{node.name}_{number}"
            seen.add(node.name)
        if node.name:
            first.add(node.name)


def _drop_unread(network: Network) -> None:
    """Removes outputs beside the first that nobody reads, such as a MaxPool's indices. TensorRT refuses them."""
    for node in network.nodes:
        beside = [name for name in node.output[1:] if name]
        read = any(network.consumers(name) or name in network.outputs for name in beside)
        if node.op_type in SIDES and node.domain in DOMAINS and not read:
            del node.output[1:]
    network.wire()


def _drop_passing(network: Network) -> None:
    """Removes Identity, casts to the same type, and Dropout outside training; their readers read what they read.

    What the graphs inside nodes read keeps its name, and so does an output of the network.
    """
    fixed = set(network.outputs).union(*(outer_names(node) for node in network.nodes))
    sources: Dict[str, str] = {}
    kept: List[onnx.NodeProto] = []
    for node in network.nodes:
        for place, name in enumerate(node.input):
            node.input[place] = sources.get(name, name)
        if _passes(network, node) and node.output[0] not in fixed:
            sources[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    if sources:
        network.replace_nodes(kept)


def _passes(network: Network, node: onnx.NodeProto) -> bool:
    if node.domain not in DOMAINS or not node.input or not node.input[0] or len(list(filter(None, node.output))) != 1:
        return False
    if node.op_type == "Cast":
        wanted = next((a.i for a in node.attribute if a.name == "to"), 0)
        return network.types.get(node.input[0]) == wanted
    training = network.constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else np.array(False)
    still = training is not None and not training.any()
    return node.op_type == "Identity" or (node.op_type == "Dropout" and still)


def plain_products(network: Network) -> None:
    """Multiplies alpha and beta of each Gemm into its constants, and gives its bias one value per column."""
    for node in network.nodes:
        if node.op_type == "Gemm" and node.domain in DOMAINS and network.weight(node) is not None:
            _plain_product(network, node)


def _plain_product(network: Network, node: onnx.NodeProto) -> None:
    numbers = {a.name: a for a in node.attribute}
    weight, bias = node.input[1], node.input[2] if len(node.input) > 2 else ""
    if bias and bias not in network.constants:
        return
    alpha, beta = (numbers[name].f if name in numbers else 1.0 for name in ("alpha", "beta"))
    columns = network.constants[weight].shape[0 if "transB" in numbers and numbers["transB"].i else 1]
    if alpha != 1:
        scaled = (network.constants[weight].astype(np.float64) * alpha).astype(np.float32)
        node.input[1] = network.set_constant(f"{node.output[0]}.weight", scaled)
    if bias:
        old = network.constants[bias].astype(np.float32)
        new = _per_column((beta * old.astype(np.float64)).astype(np.float32), columns)
        if beta != 1 or new.shape != old.shape:
            node.input[2] = network.set_constant(f"{node.output[0]}.bias", new)
    for name in ("alpha", "beta"):
        if name in numbers:
            numbers[name].f = 1.0


def _per_column(bias: Floats, columns: int) -> Floats:
    """(columns,) if the bias is the same for all rows; otherwise the bias as it is."""
    same = bias.size == 1 or (bias.size == columns and bias.shape[-1] == columns)
    return np.broadcast_to(bias.reshape(-1), (columns,)).copy() if same and bias.shape != (columns,) else bias
