"""Raises the opset of a network, and writes out its functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

from edge_runtime.errors import ModelError
from edge_runtime.graph.network import DOMAINS
from edge_runtime.graph.subgraphs import inner_graphs

if TYPE_CHECKING:
    import onnx


# The converter leaves graphs inside nodes as they are. These operators would then mean something else, and no check of
# the result could tell.
SILENT = ("Hardmax", "LogSoftmax", "Resize", "Softmax")
PLACES = 11  # the first opset in which Resize says where pixels lie; before, pixel x is at x * scale


def inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the model with the content of its own functions in place of their calls.

    Raises:
        ModelError: it has functions, and this version of onnx cannot write them out.
    """
    if not model.functions:
        return model
    try:
        from onnx import inliner

        whole: onnx.ModelProto = inliner.inline_local_functions(model)
    except Exception as error:  # too old an onnx has no inliner, and it raises RuntimeError
        fact = f"the network is made of {len(model.functions)} functions: {error}"
        raise ModelError(fact, hint="pip install -U onnx, or export it without functions") from error
    return whole


def raised(model: onnx.ModelProto, wanted: int) -> onnx.ModelProto:
    """Returns the model in opset `wanted`, or as it is if it has that or a newer one.

    Raises:
        ModelError: it cannot be converted.
    """
    from onnx import checker, version_converter

    opset = next((entry.version for entry in model.opset_import if entry.domain in DOMAINS), 1)
    if opset >= wanted:
        return model
    hint = f"export with opset {wanted} to 17"
    silent = [node.op_type for node in _inner_nodes(model.graph) if node.op_type in SILENT]
    if silent:
        raise ModelError(f"opset {opset} cannot be raised: a graph inside it has a {silent[0]}", hint=hint)
    try:
        metadata = list(model.metadata_props)
        model.ir_version = max(model.ir_version, 4)  # since 4, a constant that we add need not be an input too
        model = version_converter.convert_version(model, wanted)
        if opset < PLACES:
            _place_as_before(model)
        checker.check_model(model)
        del model.metadata_props[:]
        model.metadata_props.extend(metadata)
    except Exception as error:  # the converter raises RuntimeError and its own types
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"opset {opset} cannot be raised: {reason}", hint=hint) from error
    return model


def _place_as_before(model: onnx.ModelProto) -> None:
    """Says in every Resize what the older opset meant. The converter leaves it to the new default, half a pixel off."""
    from onnx import helper

    for node in model.graph.node:
        if node.op_type == "Resize":
            meant = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            kept = [attribute for attribute in node.attribute if attribute.name not in meant]
            del node.attribute[:]
            node.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in meant.items())])


def _inner_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        for inner in inner_graphs(node):
            yield from inner.node
            yield from _inner_nodes(inner)
