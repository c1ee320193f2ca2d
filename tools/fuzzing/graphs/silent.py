"""Finds layers that multiply by float weights although the tool does not say so."""

from __future__ import annotations

from typing import List, Mapping, Set, Tuple

import onnx

from edge_runtime import calibrate
from fuzzing.graphs import evaluate
from fuzzing.graphs.walk import WEIGHTED, Walk


def layers(made: calibrate.Calibrated, walk: Walk) -> Tuple[List[onnx.NodeProto], List[str], List[str]]:
    """The nodes with weights that lead to an output; those in float that the tool names; and those that it does not.

    Args:
        walk: of the quantised file, after its run.
    """
    model = made.model
    makers = {name: node for node in model.graph.node for name in node.output}
    live = _live(model.graph)
    outer = {node.output[0]: node for node in walk.weighted if node.output[0] in live and node in model.graph.node}
    inner = {
        node.output[0]: node for node in model.graph.node if _holds(node, walk.constant) and node.output[0] in live
    }
    plain = [*(node for node in outer.values() if not _rounded(node, makers)), *inner.values()]
    said = {each.name for each in made.in_float if each.everywhere}
    named = [node.output[0] for node in plain if (node.name or node.output[0]) in said]
    unnamed = [f"{node.op_type} {node.output[0]}" for node in plain if node.output[0] not in named]
    return [*outer.values(), *inner.values()], named, unnamed


def _rounded(node: onnx.NodeProto, makers: Mapping[str, onnx.NodeProto]) -> bool:
    """Whether both factors come out of a DequantizeLinear."""
    return all(name in makers and makers[name].op_type == "DequantizeLinear" for name in node.input[:2])


def _holds(node: onnx.NodeProto, constant: Set[str]) -> bool:
    """Whether a node has subgraphs with layers that multiply by constants."""
    graphs = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    inner = [each for graph in graphs for each in graph.node]
    return any(
        _holds(each, constant) or (each.op_type in WEIGHTED and constant & set(each.input[:2])) for each in inner
    )


def _live(graph: onnx.GraphProto) -> Set[str]:
    """The tensors that an output depends on."""
    live = {value.name for value in graph.output}
    for node in reversed(graph.node):
        if live & set(node.output):
            live.update(evaluate.outer_names(node))
    return live
