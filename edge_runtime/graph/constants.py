"""Constants of an ONNX graph: every form that exporters write becomes an initializer."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Optional

import numpy as np

from edge_runtime.errors import ModelError

if TYPE_CHECKING:
    import onnx

LARGEST = 1 << 27  # values of a sparse constant that is written out with its zeros
FORMS = {"value_float": ("FLOAT", "f"), "value_floats": ("FLOAT", "floats"), "value_int": ("INT64", "i"),
         "value_ints": ("INT64", "ints"), "value_string": ("STRING", "s"),
         "value_strings": ("STRING", "strings")}  # fmt: skip


def constants_to_initializers(model: onnx.ModelProto) -> None:
    """Turns the Constant nodes of the main graph and its sparse initializers into initializers, in place."""
    kept = []
    thin = [sparse for sparse in model.graph.sparse_initializer if _fits(sparse)]
    model.graph.initializer.extend(dense(sparse) for sparse in thin)
    for sparse in thin:
        model.graph.sparse_initializer.remove(sparse)
    for node in model.graph.node:
        value = tensor_of(node) if node.op_type == "Constant" else None
        if value is None:
            kept.append(node)
        else:
            value.name = node.output[0]
            model.graph.initializer.append(value)
    if len(kept) < len(model.graph.node):
        del model.graph.node[:]
        model.graph.node.extend(kept)


def tensor_of(node: onnx.NodeProto) -> Optional[onnx.TensorProto]:
    """Returns the tensor of a Constant node, whatever its form; None for one that is too large with its zeros."""
    from onnx import TensorProto, helper

    for attribute in node.attribute:
        if attribute.name == "value":
            value = TensorProto()
            value.CopyFrom(attribute.t)
            return value
        if attribute.name == "sparse_value":
            return dense(attribute.sparse_tensor) if _fits(attribute.sparse_tensor) else None
        if attribute.name in FORMS:
            kind, field = FORMS[attribute.name]
            found = getattr(attribute, field)
            several = attribute.name.endswith("s")
            return helper.make_tensor(
                "", getattr(TensorProto, kind), [len(found)] if several else [], list(found) if several else [found]
            )
    return None


def _fits(sparse: onnx.SparseTensorProto) -> bool:
    return bool(prod(sparse.dims) <= LARGEST)


def dense(sparse: onnx.SparseTensorProto) -> onnx.TensorProto:
    """Returns a sparse tensor with its zeros, under the same name.

    Its indices are (n,), places in the flat tensor, or (n, dimensions).

    Raises:
        ModelError: an index lies outside the tensor.
    """
    from onnx import numpy_helper

    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    whole = np.zeros(tuple(sparse.dims), values.dtype)
    try:
        if indices.ndim == 1:
            whole.reshape(-1)[indices] = values
        else:
            whole[tuple(indices.T)] = values
    except (IndexError, ValueError) as error:
        name = sparse.values.name or "constant"
        raise ModelError(f"the sparse {name} is damaged: {error}", hint="export the model again") from error
    return numpy_helper.from_array(whole, sparse.values.name)
