"""Turns a network of float16, bfloat16 or float64 into float32, its inputs and outputs too."""

from __future__ import annotations

from typing import TYPE_CHECKING, FrozenSet, List

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.network import WEIGHTED
from edge_runtime.graph.subgraphs import inner_graphs

if TYPE_CHECKING:
    import onnx

FLOAT, FLOAT16, DOUBLE, BFLOAT16 = 1, 10, 11, 16  # numbers of onnx.TensorProto
TYPES = ("to", "dtype", "output_datatype", "output_dtype")  # attributes that name a type
NAMES = {FLOAT16: "float16", DOUBLE: "float64", BFLOAT16: "bfloat16"}


def to_float32(model: onnx.ModelProto) -> str:
    """Makes the network compute in float32, in place. Float64 is left alone unless weights are float64.

    Returns:
        The name of the type that the network computed in before; "" if only constants had another type than float32.
    """
    found = _kinds(model.graph)
    wide = FLOAT if DOUBLE not in _weight_kinds(model.graph) else DOUBLE
    changed = frozenset({FLOAT16, BFLOAT16, wide} - {FLOAT})
    if not changed & found:
        return ""
    computed = changed & _computed(model.graph)
    _convert(model.graph, changed)
    return next((NAMES[kind] for kind in (FLOAT16, BFLOAT16, DOUBLE) if kind in computed), "")


def _computed(graph: onnx.GraphProto) -> FrozenSet[int]:
    """The types of inputs, and of what nodes cast to."""
    given = {value.type.tensor_type.elem_type for value in graph.input}
    casts = {a.i for node in graph.node if node.op_type == "Cast" for a in node.attribute if a.name == "to"}
    return frozenset(given | casts)


def _kinds(graph: onnx.GraphProto) -> FrozenSet[int]:
    """The types in a graph: of its constants, inputs, outputs, and those that its nodes name."""
    found = {tensor.data_type for tensor in graph.initializer}
    found.update(tensor.values.data_type for tensor in graph.sparse_initializer)
    found.update(value.type.tensor_type.elem_type for value in (*graph.input, *graph.output))
    for node in graph.node:
        for attribute in node.attribute:
            found.update(tensor.data_type for tensor in (attribute.t, *attribute.tensors))
            found.add(attribute.i if attribute.name in TYPES else 0)
        for inner in inner_graphs(node):
            found |= _kinds(inner)
    return frozenset(found)


def _weight_kinds(graph: onnx.GraphProto) -> FrozenSet[int]:
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    kinds.update({node.output[0]: a.t.data_type for node in graph.node if node.op_type == "Constant"
                  for a in node.attribute})  # fmt: skip
    return frozenset(kinds.get(name, 0) for node in graph.node if node.op_type in WEIGHTED for name in node.input)


def _convert(graph: onnx.GraphProto, changed: FrozenSet[int]) -> None:
    for tensor in (*graph.initializer, *(each.values for each in graph.sparse_initializer)):
        _tensor(tensor, changed)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type in changed:
            value.type.tensor_type.elem_type = FLOAT
    for node in graph.node:
        for attribute in node.attribute:
            _tensors(attribute, changed)
            if attribute.name in TYPES and attribute.i in changed:
                attribute.i = FLOAT
        for inner in inner_graphs(node):
            _convert(inner, changed)


def _tensors(attribute: onnx.AttributeProto, changed: FrozenSet[int]) -> None:
    tensors: List[onnx.TensorProto] = [attribute.t, *attribute.tensors, attribute.sparse_tensor.values]
    for tensor in tensors:
        if tensor.data_type in changed:
            _tensor(tensor, changed)


def _tensor(tensor: onnx.TensorProto, changed: FrozenSet[int]) -> None:
    from onnx import numpy_helper

    if tensor.data_type in changed:
        known = tensor.data_type != BFLOAT16
        floats = np.asarray(numpy_helper.to_array(tensor).astype(np.float32), order="C") if known else _bfloat16(tensor)
        tensor.CopyFrom(numpy_helper.from_array(floats, tensor.name))


def _bfloat16(tensor: onnx.TensorProto) -> NDArray[np.float32]:
    """Returns the values of a bfloat16 tensor, the upper halves of float32. Old versions of onnx give the bits."""
    raw = np.frombuffer(tensor.raw_data, "<u2") if tensor.raw_data else np.array(tensor.int32_data, np.uint16)
    floats: NDArray[np.float32] = (raw.astype(np.uint32) << 16).view(np.float32).reshape(tuple(tensor.dims))
    return floats
