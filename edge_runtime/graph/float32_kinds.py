"""Finds the nodes that stay in float32 in a float16 network because of what they are, whatever the pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Set

import numpy as np

from edge_runtime.graph.network import WEIGHTED, Network

if TYPE_CHECKING:
    import onnx

LARGEST = float(np.finfo(np.float16).max)  # 65504
ROUNDING = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
OPERATORS = {
    **dict.fromkeys(ROUNDING, "has scales in float32"),
    **dict.fromkeys(("Cast", "CastLike"), "changes the type"),
    "Range": "makes indices",
    **dict.fromkeys(("TopK", "NonMaxSuppression", "ArgMax", "ArgMin"), "chooses boxes"),
    **dict.fromkeys(("If", "Loop", "Scan"), "holds a network of its own"),
    **dict.fromkeys(
        ("ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "CumSum",
         "LayerNormalization", "InstanceNormalization", "GroupNormalization", "RMSNormalization", "LpNormalization",
         "MeanVarianceNormalization", "LRN"),
        "adds many numbers",
    ),
}  # fmt: skip
CONSTANT, DECODES, WEIGHTS = "does not depend on the picture", "decodes boxes", "has weights beyond 65504"
UNKNOWN = "has tensors of unknown type"
SMALL_MATRIX = 16  # values of a matrix that only turns centres and sizes of boxes into corners


def float32_kinds(network: Network, types: Dict[str, int]) -> Dict[str, str]:
    """Returns {first output of a node: why it stays in float32}.

    Args:
        types: `tensor_types` of the network.
    """
    image = from_image(network)
    body = _before_decoding(network, image)
    found: Dict[str, str] = {}
    for node in network.nodes:
        reason = _reason(network, node, image, body, types)
        if reason:
            found[node.output[0]] = reason
    return found


def tensor_types(model: onnx.ModelProto) -> Dict[str, int]:
    """Returns {tensor: ONNX's number of its element type}, without tensors whose type cannot be inferred."""
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(model).graph
    values = {
        value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output, *graph.input)
    }
    types = {**values, **{tensor.name: tensor.data_type for tensor in graph.initializer}}
    return {name: number for name, number in types.items() if number}


def from_image(network: Network) -> Set[str]:
    """Returns the tensors whose values depend on the picture. Its size does not count: it is fixed in a plan."""
    found = set(network.inputs)
    for node in network.nodes:
        if node.op_type not in ("Shape", "Size") and not found.isdisjoint(names_read(node)):
            found.update(node.output)
    return found


def names_read(node: onnx.NodeProto) -> List[str]:
    """Returns the tensors that a node reads, also those that only the networks inside it read."""
    inner = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    return [*filter(None, node.input), *(name for graph in inner for part in graph.node for name in names_read(part))]


def _reason(network: Network, node: onnx.NodeProto, image: Set[str], body: Set[str], types: Dict[str, int]) -> str:
    if node.op_type in OPERATORS:
        return OPERATORS[node.op_type]
    if image.isdisjoint(names_read(node)):
        return CONSTANT
    if node.output[0] not in body:
        return DECODES
    if any(name not in types for name in (*names_read(node), *filter(None, node.output))):
        return UNKNOWN
    return WEIGHTS if largest_constant(network, node) > LARGEST else ""


def largest_constant(network: Network, node: onnx.NodeProto) -> float:
    """Returns the largest absolute value of the float constants that a node reads; 0 if it reads none.

    The limits of a Clip do not count: they may be as large as the type allows.
    """
    read = [network.constants[name] for name in node.input if name in network.constants and node.op_type != "Clip"]
    return max((float(np.abs(value).max()) for value in read if value.dtype == np.float32 and value.size), default=0.0)


def _before_decoding(network: Network, image: Set[str]) -> Set[str]:
    """Returns the first outputs of the nodes that multiply by learnt weights, or come before such a node.

    Unlike `Network.leading_to_weights` it also sees weights that are dequantised or computed.
    """
    wanted: Set[str] = set()
    found: Set[str] = set()
    for node in reversed(network.nodes):
        if not wanted.isdisjoint(node.output) or _learnt(network, node, image):
            found.add(node.output[0])
            wanted.update(name for name in names_read(node) if name in image)
    return found


def _learnt(network: Network, node: onnx.NodeProto, image: Set[str]) -> bool:
    """Whether a node multiplies by learnt weights, and not by a fixed matrix as decoding does."""
    weights = [name for name in list(node.input)[:2] if name not in image]
    if node.op_type not in WEIGHTED or not weights:
        return False
    value = network.constants.get(weights[0])
    if value is None:
        return True
    flat = value.reshape(-1)
    bins = len(flat) > 1 and np.array_equal(flat, np.arange(len(flat)))  # the mean over a distribution
    return not bins and not (node.op_type in ("Gemm", "MatMul") and len(flat) <= SMALL_MATRIX)
