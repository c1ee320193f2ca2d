"""Gives lists of any length a fixed number of rows. A plan needs this, and the host does the same with its results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, Mapping

import numpy as np

from edge_runtime.model.outputs import MOST_ROWS
from edge_runtime.model.spec import Shape

if TYPE_CHECKING:
    import onnx


def fix_rows(model: onnx.ModelProto, lists: Mapping[str, Shape]) -> None:
    """Makes lists of 4096 rows. Rows that the network does not give are 0. Rows after these are left out.

    Args:
        model: of a batch of 1; changed in place.
        lists: shapes of outputs in the file, (n, ...) or (B, n, ...); the first size but B is -1.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    values = {value.name: value for value in graph.output}
    for name, shape in lists.items():
        axis = 1 if len(shape) > 1 and shape[1] == -1 else 0
        sizes = (*(1,) * axis, MOST_ROWS, *shape[axis + 1 :])
        dtype = helper.tensor_dtype_to_np_dtype(values[name].type.tensor_type.elem_type)
        _rename(graph, name, f"{name}.list")
        constants = {f"{name}.empty": np.zeros(sizes, dtype), f"{name}.first": np.arange(MOST_ROWS)}
        graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in constants.items())
        longer = f"{name}.longer"
        graph.node.extend([
            helper.make_node("Concat", [f"{name}.list", f"{name}.empty"], [longer], name=longer, axis=axis),
            helper.make_node("Gather", [longer, f"{name}.first"], [name], name=name, axis=axis),
        ])  # fmt: skip
        del values[name].type.tensor_type.shape.dim[:]
        for size in sizes:
            values[name].type.tensor_type.shape.dim.add().dim_value = size


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Renames a tensor for all nodes, also for those of the graphs in them."""
    for node in _nodes(graph):
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)
