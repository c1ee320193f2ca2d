"""Graphs inside nodes: the branches of If, the bodies of Loop and Scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, List, Set

if TYPE_CHECKING:
    import onnx


def inner_graphs(node: onnx.NodeProto) -> List[onnx.GraphProto]:
    """Returns the graphs that a node holds."""
    return [
        graph
        for attribute in node.attribute
        for graph in (attribute.g, *attribute.graphs)
        if graph.node or graph.output or graph.initializer
    ]


def outer_names(node: onnx.NodeProto) -> List[str]:
    """Returns the names that the graphs inside a node read from outside, each once."""
    return list(dict.fromkeys(name for graph in inner_graphs(node) for name in _free(graph)))


def _free(graph: onnx.GraphProto) -> Iterator[str]:
    made: Set[str] = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    made.update(tensor.values.name for tensor in graph.sparse_initializer)
    for node in graph.node:
        yield from (name for name in (*node.input, *outer_names(node)) if name and name not in made)
        made.update(node.output)
    yield from (value.name for value in graph.output if value.name not in made)
