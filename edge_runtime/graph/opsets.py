"""Raises the opset of a network, and writes out its functions."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Iterator, List

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
        _drop_values_that_do_not_count(model)
        model = version_converter.convert_version(model, wanted)
        if opset < PLACES:
            _place_as_before(model)
        _flatten_before_hardmax(model)
        with _shapes_of_outputs(model):
            checker.check_model(model)
        del model.metadata_props[:]
        model.metadata_props.extend(metadata)
    except Exception as error:  # the converter raises RuntimeError and its own types
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"opset {opset} cannot be raised: {reason}", hint=hint) from error
    return model


def _drop_values_that_do_not_count(model: onnx.ModelProto) -> None:
    """Removes the value of each Pad that does not pad with it. The converter keeps it where no attribute may be."""
    for node in model.graph.node:
        given = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "Pad" and "value" in given and "mode" in given and given["mode"].s != b"constant":
            node.attribute.remove(given["value"])


def _flatten_before_hardmax(model: onnx.ModelProto) -> None:
    """Makes each Hardmax find one place among all values from its axis on, as it was before opset 13.

    The converter does this for Softmax and LogSoftmax alone.
    """
    from onnx import helper

    nodes: List[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type != "Hardmax":
            nodes.append(node)
            continue
        source, name = node.input[0], node.output[0]
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        nodes += [
            helper.make_node("Shape", [source], [f"{name}.shape"]),
            helper.make_node("Flatten", [source], [f"{name}.flat"], axis=axis),
            helper.make_node("Hardmax", [f"{name}.flat"], [f"{name}.chosen"], name=node.name, axis=1),
            helper.make_node("Reshape", [f"{name}.chosen", f"{name}.shape"], [name]),
        ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


@contextlib.contextmanager
def _shapes_of_outputs(model: onnx.ModelProto) -> Iterator[None]:
    """Gives outputs without a shape one for a while: the check wants one, the network does not need it."""
    types = [value.type.tensor_type for value in model.graph.output if value.type.HasField("tensor_type")]
    open_ones = [kind for kind in types if not kind.HasField("shape")]
    for kind in open_ones:
        kind.shape.SetInParent()
    yield
    for kind in open_ones:
        kind.ClearField("shape")


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
