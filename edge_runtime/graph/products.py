"""Counts the multiplications of a network's operators, and says which operators stay in float, and why."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Collection, Dict, List, Sequence

from edge_runtime.graph import kinds, rounding_points
from edge_runtime.graph.network import DOMAINS, WEIGHTED, Network
from edge_runtime.graph.subgraphs import inner_graphs

if TYPE_CHECKING:
    import onnx

OTHERS = ("Attention", "DeformConv", "Einsum", "GRU", "LSTM", "RNN")  # they multiply too, and have no 8-bit form
FUSED = ("Attention", "Conv", "Gemm", "MatMul")  # parts of the names of operators that are not ONNX's own


@dataclass(frozen=True)
class InFloat:
    """An operator that multiplies, and stays in float.

    Attributes:
        name: name of the node, or of its first output.
        reason: why, to be read after the name.
        share: part of all multiplications, 0 to 1; 0 if they cannot be counted.
        everywhere: whether it does so on every runtime; otherwise on ONNX Runtime alone.
    """

    name: str
    reason: str
    share: float
    everywhere: bool = True


@dataclass(frozen=True)
class Layer:
    """An operator that multiplies an activation by weights.

    Attributes:
        reads: the activation.
        makes: the activation that must be rounded too, or else ONNX Runtime computes the operator in float: the result
            of a Conv, behind a Relu or Clip that is merged into it. "" if there is none.
        share: part of all multiplications with weights, 0 to 1.
    """

    reads: str
    makes: str
    share: float


def layers(network: Network) -> List[Layer]:
    """Returns all operators that multiply an activation by weights, in order."""
    counted = multiplications(network)
    weighted = [node for node in network.nodes if network.weight(node) is not None]
    total = max(1, sum(counted.get(node.output[0], 0) for node in weighted))
    return [
        Layer(
            network.multiplied(node),
            rounding_points.behind_clip(network, node.output[0]) if node.op_type == "Conv" else "",
            counted.get(node.output[0], 0) / total,
        )
        for node in weighted
    ]


def weighted_shares(network: Network) -> Dict[str, float]:
    """Returns, by activation, which part of all multiplications with weights reads it."""
    shares: Dict[str, float] = {}
    for layer in layers(network):
        shares[layer.reads] = shares.get(layer.reads, 0.0) + layer.share
    return shares


def multiplications(network: Network) -> Dict[str, int]:
    """Returns the multiplications for one image of each node that multiplies, by its first output; 0 if unknown."""
    shapes = network.shapes
    shapes[""] = shapes.get(network.inputs[0], (1,))[:1]  # images in a run
    found = {}
    for node in network.nodes:
        if _multiplies(node):
            weight = network.weight(node)
            fixed = weight is not None
            found[node.output[0]] = _with_weight(network, node, shapes) if fixed else _of_two(node, shapes)
        elif any(_multiplies(each) for graph in inner_graphs(node) for each in graph.node):
            found[node.output[0]] = 0
    return found


def in_float(network: Network, rounded: Collection[str], keep: Collection[str], free: Collection[str]) -> List[InFloat]:
    """Returns the operators that multiply and stay in float, those with most multiplications first.

    Args:
        network: a prepared float network.
        rounded: the activations that are rounded.
        keep: names of nodes, or of their first outputs, that were asked to stay in float.
        free: activations that stay in float because rounding them costs too much.
    """
    counted, body = multiplications(network), network.leading_to_weights()
    total = sum(counted.values())
    found: List[InFloat] = []
    for node in network.nodes:
        if node.output[0] in counted:
            reason = _reason(network, node, body, rounded, keep, free)
            only_there = "" if reason else _on_onnxruntime(network, node, rounded)
            share = counted[node.output[0]] / total if total else 0.0
            if reason or only_there:
                found.append(InFloat(node.name or node.output[0], reason or only_there, share, bool(reason)))
    return sorted(found, key=lambda each: -each.share)


def _reason(
    network: Network,
    node: onnx.NodeProto,
    body: Collection[str],
    rounded: Collection[str],
    keep: Collection[str],
    free: Collection[str],
) -> str:
    """Why a node stays in float; "" if it does not."""
    if rounding_points.kept(node, keep):
        return "it was asked for with --keep-fp"
    if inner_graphs(node):
        return f"it is inside the {node.op_type}"
    if node.op_type not in WEIGHTED or node.domain not in DOMAINS:
        return f"there is no 8-bit form of {node.op_type}"
    if network.weight(node) is None:
        return "it multiplies two activations" if node.op_type in ("Gemm", "MatMul") else "its weights are no constants"
    if node.output[0] not in body:
        return "it belongs to the decoding"
    name = network.multiplied(node)
    if name in rounded:
        return ""
    return "rounding its input costs too much" if name in free else "its input stays in float"


def _on_onnxruntime(network: Network, node: onnx.NodeProto, rounded: Collection[str]) -> str:
    """Why a node whose factors are rounded stays in float on ONNX Runtime; "" if it does not."""
    if node.op_type == "ConvTranspose":
        return "ONNX Runtime has no 8-bit form of ConvTranspose"
    again = node.op_type != "Conv" or rounding_points.behind_clip(network, node.output[0]) in rounded
    return "" if again else "its result is not rounded"


def _multiplies(node: onnx.NodeProto) -> bool:
    if node.domain not in DOMAINS:
        return any(part in node.op_type for part in FUSED)
    return node.op_type in WEIGHTED or node.op_type in OTHERS


def _with_weight(network: Network, node: onnx.NodeProto, shapes: Dict[str, kinds.Shape]) -> int:
    """Each weight multiplies as many values as the output has for each filter; for a ConvTranspose, the input."""
    weight: kinds.Shape = network.constants[network.weight(node) or ""].shape
    if node.op_type == "ConvTranspose":
        return prod(weight) * (_for_one(shapes, node.input[0]) // max(weight[0], 1))
    out = weight[0] if node.op_type == "Conv" else _columns(network, node, weight)
    return prod(weight) * (_for_one(shapes, node.output[0]) // max(out, 1))


def _columns(network: Network, node: onnx.NodeProto, weight: Sequence[int]) -> int:
    if network.weight_place(node) == 0:
        return int(weight[-2]) if len(weight) > 1 else 1
    turned = node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
    return int(weight[0] if turned else weight[-1])


def _of_two(node: onnx.NodeProto, shapes: Dict[str, kinds.Shape]) -> int:
    """Of a product of two activations, and of a convolution with computed weights."""
    if len(node.input) < 2 or node.op_type not in WEIGHTED:
        return 0
    first, second = (shapes.get(name, ()) for name in node.input[:2])
    if node.op_type in ("Gemm", "MatMul"):
        return _for_one(shapes, node.output[0]) * (first[-1] if first else 0)
    filters = second[0] if second else 1
    return prod(second) * (_for_one(shapes, node.output[0]) // max(filters, 1)) if second else 0


def _for_one(shapes: Dict[str, kinds.Shape], name: str) -> int:
    """The number of values of a tensor for one image; 0 if it is not known."""
    return prod(shapes[name]) // max(prod(shapes.get("", (1,))), 1) if name in shapes else 0
