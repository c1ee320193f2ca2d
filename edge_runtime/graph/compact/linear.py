"""Operators with weights: their output channels are sums over input channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.compact.flow import Cut, Floats, Flow, Kept, Link, attribute, nothing

if TYPE_CHECKING:
    import onnx


def conv(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """A convolution. A constant in its input is one in its output if it pads nothing."""
    if attribute(node, "group", 1) > 1:
        return _grouped(flow, node)
    padded = attribute(node, "auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or any(attribute(node, "pads", [0]))
    return _link(flow, node, (0, 1), shifts=not padded)


def conv_transpose(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """A transposed convolution. Its border reads less than its middle."""
    return _link(flow, node, (1, 0), shifts=False) if attribute(node, "group", 1) == 1 else None


def gemm(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """A product (N, I) x (I, O), as `plain_products` leaves it."""
    odd = attribute(node, "transA", 0) or attribute(node, "alpha", 1.0) != 1 or attribute(node, "beta", 1.0) != 1
    return None if odd else _link(flow, node, (0, 1) if attribute(node, "transB", 0) else (1, 0), shifts=True)


def matmul(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """A product (N, I) x (I, O). It has no bias."""
    flat = len(flow.shapes.get(node.input[0], ())) == 2
    return _link(flow, node, (1, 0), shifts=False) if flat else None


def _weight(flow: Flow, node: onnx.NodeProto) -> Optional[NDArray[Any]]:
    return flow.constant(node, 1) if flow.network.weight_place(node) == 1 else None


def _biased(node: onnx.NodeProto) -> bool:
    return len(node.input) > 2 and bool(node.input[2])


def _link(flow: Flow, node: onnx.NodeProto, axes: Tuple[int, int], shifts: bool) -> Optional[Cut]:
    """Adds a link for a weight with its output and input channels on these axes."""
    weight, bias = _weight(flow, node), flow.constant(node, 2)
    source = flow.tensors.get(node.input[0])
    if weight is None or source is None or weight.dtype != np.float32:
        return None
    flat = np.moveaxis(weight, axes, (0, 1))
    view = flat.reshape(*flat.shape[:2], -1)
    channels = (len(view), view.shape[1])
    if channels != (flow.shapes[node.output[0]][1], len(source.units)) or _odd_bias(node, bias, len(view)):
        return None

    def store(kept: Floats, added: Optional[Floats]) -> None:
        shaped = kept.reshape(*kept.shape[:2], *flat.shape[2:])
        flow.replace(node, 1, np.moveaxis(shaped, (0, 1), axes))
        if added is not None:
            flow.replace(node, 2, added)

    varies = (view != 0).any(axis=2) & ~source.fixed
    flow.fresh(node.output[0], ~varies.any(axis=1))
    flow.links.append(Link(node.input[0], node.output[0], view, bias, shifts, store))
    return nothing


def _odd_bias(node: onnx.NodeProto, bias: Optional[NDArray[Any]], filters: int) -> bool:
    """Whether a bias is computed, or has not one value per filter."""
    return _biased(node) and (bias is None or bias.shape != (filters,))


def _grouped(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """A convolution of groups, such as a depthwise one: a group is removed as a whole, with all that it reads."""
    weight, bias, groups = _weight(flow, node), flow.constant(node, 2), attribute(node, "group", 1)
    source = flow.tensors.get(node.input[0])
    if weight is None or source is None or _odd_bias(node, bias, len(weight)):
        return None
    if weight.shape[1] * groups != len(source.units) or len(weight) % groups:
        return None
    read, made = source.units.reshape(groups, -1), len(weight) // groups
    for column in read.T[1:]:
        flow.units.tie(column, read[:, 0])
    inside = weight.reshape(groups, made, weight.shape[1], -1)
    varies = (inside != 0).any(axis=3) & ~source.fixed.reshape(groups, 1, -1)
    flow.put(node.output[0], read[:, 0].repeat(made), ~varies.any(axis=2).reshape(-1))

    def cut(kept: Kept) -> None:
        left = kept(read[:, 0])
        next(a for a in node.attribute if a.name == "group").i = int(left.sum())
        flow.replace(node, 1, weight[left.repeat(made)])
        if bias is not None:
            flow.replace(node, 2, bias[left.repeat(made)])

    return cut


RULES = {"Conv": conv, "ConvTranspose": conv_transpose, "Gemm": gemm, "MatMul": matmul}
