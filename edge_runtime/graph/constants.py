"""Constants of an ONNX graph: every form that exporters write becomes an initializer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    import onnx

FORMS = {"value_float": ("FLOAT", "f"), "value_floats": ("FLOAT", "floats"), "value_int": ("INT64", "i"),
         "value_ints": ("INT64", "ints"), "value_string": ("STRING", "s"),
         "value_strings": ("STRING", "strings")}  # fmt: skip


def constants_to_initializers(model: onnx.ModelProto) -> None:
    """Turns the Constant nodes of the main graph into initializers, in place. Sparse ones stay nodes."""
    kept = []
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
    """Returns the tensor of a Constant node, whatever its form; None for a sparse one."""
    from onnx import TensorProto, helper

    for attribute in node.attribute:
        if attribute.name == "value":
            value = TensorProto()
            value.CopyFrom(attribute.t)
            return value
        if attribute.name in FORMS:
            kind, field = FORMS[attribute.name]
            found = getattr(attribute, field)
            several = attribute.name.endswith("s")
            return helper.make_tensor(
                "", getattr(TensorProto, kind), [len(found)] if several else [], list(found) if several else [found]
            )
    return None
