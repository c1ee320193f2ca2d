"""The end of a network on its own, for whoever runs it many times behind a beginning that stays the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Mapping

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.network import Network

if TYPE_CHECKING:
    import onnx


def boundary_tensors(model: onnx.ModelProto, first: int, outputs: List[str]) -> List[str]:
    """What the nodes before number `first` make and the others, or the caller, read."""
    read = {name for node in model.graph.node[first:] for name in node.input} | set(outputs)
    return [name for node in model.graph.node[:first] for name in node.output if name in read]


def cut_from(model: onnx.ModelProto, first: int, handed: Mapping[str, NDArray[np.generic]]) -> onnx.ModelProto:
    """A copy with the nodes from number `first` on.

    Args:
        handed: arrays of any shape, examples of what `boundary_tensors` names; they become inputs.
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
