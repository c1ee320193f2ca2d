"""Puts the branch of an If in its place where the condition is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Set

import numpy as np

from edge_runtime.graph.constants import dense, tensor_of
from edge_runtime.graph.folding import fold_constants
from edge_runtime.graph.network import DOMAINS, Network
from edge_runtime.graph.subgraphs import inner_graphs

if TYPE_CHECKING:
    import onnx


def settle_branches(network: Network, sized: bool = False) -> int:
    """Replaces every If whose condition is a constant by the nodes of its branch, and returns how many were replaced.

    Args:
        network: changed in place.
        sized: whether the input has its final size, so that what is computed from sizes alone is constant too.
    """
    settled = 0
    while any(node.op_type == "If" for node in network.nodes):
        if sized:
            sizes_to_constants(network)
        folded = fold_constants(network)
        taken = _take_known(network)
        settled += taken
        if not taken and not folded:
            break
    return settled


def sizes_to_constants(network: Network) -> None:
    """Replaces every Shape of a tensor of known size by a constant."""
    shapes, kept = network.shapes, []
    for node in network.nodes:
        if node.op_type != "Shape" or node.domain not in DOMAINS or node.input[0] not in shapes:
            kept.append(node)
            continue
        given = {a.name: a.i for a in node.attribute}
        sizes = shapes[node.input[0]][given.get("start", 0) : given.get("end")]
        network.set_constant(node.output[0], np.array(sizes, np.int64))
    if len(kept) < len(network.nodes):
        network.replace_nodes(kept)


def _take_known(network: Network) -> int:
    nodes: List[onnx.NodeProto] = []
    taken = 0
    for node in network.nodes:
        known = network.constants.get(node.input[0]) if node.op_type == "If" and node.domain in DOMAINS else None
        if known is None:
            nodes.append(node)
        else:
            nodes += _inside(network, node, bool(known.reshape(-1)[0]))
            taken += 1
    if taken:
        network.replace_nodes(nodes)
    return taken


def _inside(network: Network, node: onnx.NodeProto, holds: bool) -> List[onnx.NodeProto]:
    """Returns the nodes of a branch, with names that no other tensor has. Its constants become those of the network."""
    from onnx import helper, numpy_helper

    wanted = "then_branch" if holds else "else_branch"
    branch = next(a.g for a in node.attribute if a.name == wanted)
    made = {name for each in branch.node for name in each.output if name}
    stored = {tensor.name for tensor in branch.initializer} | {t.values.name for t in branch.sparse_initializer}
    names = {name: f"{node.output[0]}.{name}" for name in made | stored}
    passed: List[onnx.NodeProto] = []
    used: Set[str] = set()
    for value, output in zip(branch.output, node.output):
        if value.name in made - used:
            names[value.name] = output
            used.add(value.name)
        elif output:
            passed.append(helper.make_node("Identity", [names.get(value.name, value.name)], [output]))
    tensors = [*branch.initializer, *map(dense, branch.sparse_initializer)]
    nodes: List[onnx.NodeProto] = []
    for each in branch.node:
        constant = tensor_of(each) if each.op_type == "Constant" and each.output[0] not in used else None
        if constant is None:
            nodes.append(each)
            _rename(each, names)
        else:
            constant.name = each.output[0]
            tensors.append(constant)
    for tensor in tensors:
        tensor.name = names[tensor.name]
        network.model.graph.initializer.append(tensor)
        network.constants[tensor.name] = numpy_helper.to_array(tensor)
    return nodes + passed


def _rename(node: onnx.NodeProto, names: Dict[str, str]) -> None:
    """Renames what a node reads and writes, also in the graphs inside it, where a name may be another tensor's."""
    for held in (node.input, node.output):
        for place, name in enumerate(held):
            held[place] = names.get(name, name)
    for graph in inner_graphs(node):
        own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
        own.update(tensor.values.name for tensor in graph.sparse_initializer)
        own.update(name for each in graph.node for name in each.output)
        seen = {name: new for name, new in names.items() if name not in own}
        for each in graph.node:
            _rename(each, seen)
        for value in graph.output:
            value.name = seen.get(value.name, value.name)
