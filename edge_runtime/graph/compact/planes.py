"""Operators that change the plane of each channel: its size, its border, or its form."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, List, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.compact.flow import Cut, Flow, Kept, attribute, same

if TYPE_CHECKING:
    import onnx

REDUCED = "ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum ReduceSumSquare".split()


def resize(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """Scales the plane. Sizes name the channels too."""
    scales, sizes = flow.constant(node, 2), flow.constant(node, 3)
    crops = attribute(node, "coordinate_transformation_mode", b"") == b"tf_crop_and_resize"
    odd = crops or attribute(node, "axes", []) or attribute(node, "keep_aspect_ratio_policy", b"stretch") != b"stretch"
    if node.input[0] not in flow.tensors or odd:
        return None
    if scales is not None and scales.size and not any(node.input[3:]):
        return same(flow, node) if (scales[:2] == 1).all() else None
    if sizes is None or sizes[0] != flow.shapes[node.input[0]][0] or any(node.input[2:3]):
        return None
    units = flow.tensors[node.input[0]].units

    def cut(kept: Kept) -> None:
        flow.replace(node, 3, np.array([sizes[0], kept(units).sum(), *sizes[2:]], np.int64))

    return same(flow, node, cut)


def pad(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """Pads the plane alone."""
    pads, ndim = flow.constant(node, 1), len(flow.shapes.get(node.input[0], ()))
    computed = any(name and name not in flow.network.constants for name in node.input[1:])
    if node.input[0] not in flow.tensors or pads is None or len(pads) != 2 * ndim or computed or any(node.input[3:]):
        return None
    return None if any(pads[[0, 1, ndim, ndim + 1]]) else same(flow, node)


def reduce(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """A mean, a sum or a maximum over the plane."""
    axes = _axes(flow, node)
    if node.input[0] not in flow.tensors or axes is None:
        return None
    ndim = len(flow.shapes[node.input[0]])
    return same(flow, node) if min((axis % ndim for axis in axes), default=0) > 1 else None


def _axes(flow: Flow, node: onnx.NodeProto) -> Optional[List[int]]:
    """The axes of a node, in an attribute or in its second input; None if there are none, or they are computed."""
    value = flow.constant(node, 1)
    axes = attribute(node, "axes", None) if value is None else value.reshape(-1)
    return None if axes is None else [int(axis) for axis in axes]


def reshape(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """Changes the form of the plane, or makes a list of all values."""
    shape = flow.constant(node, 1)
    if shape is None or attribute(node, "allowzero", 0) or shape.size < 2:
        return None
    return _formed(flow, node, shape)


def squeeze(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """Removes or adds axes behind the channels."""
    return None if _axes(flow, node) is None else _formed(flow, node, None)


def flatten(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """Makes a list of all values, (N, values)."""
    return _formed(flow, node, None) if attribute(node, "axis", 1) == 1 else None


def _formed(flow: Flow, node: onnx.NodeProto, shape: Optional[NDArray[Any]]) -> Optional[Cut]:
    """(N, C, ...) to (N, C, other sizes), or to (N, C times all sizes); `shape` is what a Reshape asks for."""
    source, before = flow.tensors.get(node.input[0]), flow.shapes.get(node.input[0], ())
    after = flow.shapes.get(node.output[0], ())
    if source is None or len(after) < 2 or before[0] != after[0] or prod(before) != prod(after):
        return None
    values = prod(before[2:])
    if after[1] not in (before[1], before[1] * values) or (after[1] != before[1] and len(after) > 2):
        return None
    units = source.units.repeat(after[1] // before[1])
    flow.put(node.output[0], units, source.fixed.repeat(after[1] // before[1]))

    def cut(kept: Kept) -> None:
        if shape is not None and shape[1] != -1:
            flow.replace(node, 1, np.array([shape[0], kept(units).sum(), *shape[2:]], np.int64))

    return cut


RULES = {"Resize": resize, "Pad": pad, "Reshape": reshape, "Squeeze": squeeze, "Unsqueeze": squeeze,
         "Flatten": flatten, **dict.fromkeys(REDUCED, reduce)}  # fmt: skip
