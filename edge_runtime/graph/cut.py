"""Cuts off the end of a network as a model of its own. It can then run many times while the beginning runs once."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Mapping

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.network import Network
from edge_runtime.graph.subgraphs import outer_names

if TYPE_CHECKING:
    import onnx


def boundary_tensors(model: onnx.ModelProto, first: int, outputs: List[str]) -> List[str]:
    """Returns the tensors that nodes before number `first` write, and that later nodes or the caller read."""
    later = model.graph.node[first:]
    read = {name for node in later for name in (*node.input, *outer_names(node))} | set(outputs)
    return [name for node in model.graph.node[:first] for name in node.output if name and name in read]


def cut_from(model: onnx.ModelProto, first: int, handed: Mapping[str, NDArray[np.generic]]) -> onnx.ModelProto:
    """Returns a copy of the model that has only the nodes from number `first` on.

    Args:
        handed: example arrays, of any shape, for the tensors that `boundary_tensors` names. These tensors become
            inputs of the copy.
    """
    from onnx import helper

    end = type(model)()
    end.CopyFrom(model)
    for name, value in handed.items():
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        end.graph.input.append(helper.make_tensor_value_info(name, kind, value.shape))
    made = {name for node in model.graph.node[first:] for name in node.output}
    outputs = [value for value in model.graph.output if value.name in made]
    del end.graph.output[:]
    end.graph.output.extend(outputs)
    Network(end).replace_nodes(list(end.graph.node[first:]))
    return end
