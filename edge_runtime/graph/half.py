"""Turns a network into float16: weights take half the space, inputs and outputs keep their types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List

import numpy as np

from edge_runtime.graph.network import Network

if TYPE_CHECKING:
    import onnx

PARAMETERS = {"Resize": (1, 2), "QuantizeLinear": (0, 1, 2), "DequantizeLinear": (0, 1, 2)}  # stay as they are
LARGEST = float(np.finfo(np.float16).max)


def half(network: Network) -> onnx.ModelProto:
    """Makes the network compute in float16 between its inputs and outputs, in place.

    Quantised parts stay quantised, with float32 scales.
    """
    from onnx import TensorProto, helper

    names = _constants(network)
    nodes: List[onnx.NodeProto] = []

    def cast(source: str, target: str, kind: int) -> None:
        nodes.append(helper.make_node("Cast", [source], [target], to=kind))

    for name in network.inputs:
        cast(name, f"{name}.half", TensorProto.FLOAT16)
        names[name] = f"{name}.half"
    outputs = {name: f"{name}.half" for name in network.outputs}
    for node in network.nodes:
        kept = PARAMETERS.get(node.op_type, ())
        for place, name in enumerate(node.input):
            name = outputs.get(name, name)
            node.input[place] = name if place in kept else names.get(name, name)
        for place, name in enumerate(node.output):
            node.output[place] = outputs.get(name, name)
        if node.op_type == "QuantizeLinear" and node.input[0] not in network.constants:
            source = names.get(node.input[0], node.input[0])
            cast(source, f"{node.output[0]}.float", TensorProto.FLOAT)
            node.input[0] = f"{node.output[0]}.float"
        nodes.append(node)
        if node.op_type == "DequantizeLinear":
            cast(node.output[0], f"{node.output[0]}.half", TensorProto.FLOAT16)
            names[node.output[0]] = f"{node.output[0]}.half"
        _retype(node)
    for name, source in outputs.items():
        cast(source, name, TensorProto.FLOAT)
    network.replace_nodes(nodes)
    del network.model.graph.value_info[:]
    return network.model


def _constants(network: Network) -> Dict[str, str]:
    """Adds a float16 copy of every float32 constant and returns {name: name of the copy}.

    Constants that no node reads are removed at the end, by `replace_nodes`.
    """
    names: Dict[str, str] = {}
    for name, value in list(network.constants.items()):
        if value.dtype == np.float32:
            limited = np.clip(value, -LARGEST, LARGEST).astype(np.float16)
            names[name] = network.set_constant(f"{name}.half", limited)
    return names


def _retype(node: onnx.NodeProto) -> None:
    """Changes casts to float32, and constant tensors inside a node, to float16."""
    from onnx import TensorProto, numpy_helper

    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.FLOAT16
        if node.op_type == "ConstantOfShape" and attribute.t.data_type == TensorProto.FLOAT:
            attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t).astype(np.float16)))
