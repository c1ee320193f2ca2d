"""Finds the nodes that stay in float32 in a float16 network because of what they are, whatever the pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Set

import numpy as np

from edge_runtime.graph.kinds import computed_from
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


def float32_kinds(network: Network) -> Dict[str, str]:
    """Returns {first output of a node: why it stays in float32}. The size of the picture is fixed in a plan."""
    image = computed_from(network.inputs, ((node, network.reads(node)) for node in network.nodes))
    body = _before_decoding(network, image)
    found: Dict[str, str] = {}
    for node in network.nodes:
        reason = _reason(network, node, image, body)
        if reason:
            found[node.output[0]] = reason
    return found


def _reason(network: Network, node: onnx.NodeProto, image: Set[str], body: Set[str]) -> str:
    if node.op_type in OPERATORS:
        return OPERATORS[node.op_type]
    if image.isdisjoint(network.reads(node)):
        return CONSTANT
    if node.output[0] not in body:
        return DECODES
    if any(name not in network.types for name in (*network.reads(node), *filter(None, node.output))):
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
            wanted.update(name for name in network.reads(node) if name in image)
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
