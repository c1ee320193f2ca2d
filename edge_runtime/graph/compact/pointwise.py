"""Operators that work on each channel alone, or on the same channel of several tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.compact.flow import Bools, Cut, Flow, Kept, attribute, same

if TYPE_CHECKING:
    import onnx

ALONE = """Abs Ceil Celu Clip Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Log Mish Neg Reciprocal
    Relu Round Selu Sigmoid Sign Softplus Softsign Sqrt Tanh ThresholdedRelu""".split()
POOLS = "AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool".split()
TOGETHER = "Add Div Max Mean Min Mul PRelu Pow Sub Sum".split()


def alone(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """One input (N, C, ...), one output of the same channels, and parameters that do not know channels."""
    parameters = [flow.network.constants.get(name) for name in node.input[1:] if name]
    plain = all(value is not None and value.size == 1 for value in parameters)
    return same(flow, node) if plain else None


def pool(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """Pooling over the plane."""
    return alone(flow, node) if len(flow.shapes.get(node.input[0], ())) > 2 else None


def together(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """Arithmetic on tensors with equal channels, on gates (N, C, 1, 1), on masks (N, 1, H, W), and on constants."""
    shape = flow.shapes.get(node.output[0], ())
    moving = [name for name in node.input if name not in flow.network.constants]
    if len(shape) < 2 or any(name not in flow.tensors or len(flow.shapes[name]) != len(shape) for name in moving):
        return None
    full = [name for name in moving if len(flow.tensors[name].units) == shape[1]]
    held = _along_channels(flow, node, len(shape))
    if not full or held is None:
        return None
    fixed = np.all([flow.tensors[name].fixed for name in moving if name in full], axis=0)
    for name in moving:
        if name in full:
            flow.units.tie(flow.tensors[name].units, flow.tensors[full[0]].units)
        else:
            flow.keep(name)
            fixed = fixed & flow.tensors[name].fixed
    zero = _zero(flow, node, full, held, shape[1]) if node.op_type == "Mul" else np.zeros(shape[1], bool)
    units = flow.tensors[full[0]].units
    flow.put(node.output[0], units, fixed | zero)

    def cut(kept: Kept) -> None:
        for place, axis, value in held:
            flow.replace(node, place, np.compress(kept(units), value, axis))

    return cut


Held = List[Tuple[int, int, NDArray[Any]]]


def _along_channels(flow: Flow, node: onnx.NodeProto, ndim: int) -> Optional[Held]:
    """The constants with one value or more for each channel: place, axis of the channels, value. None if one is odd."""
    found: Held = []
    for place, name in enumerate(node.input):
        value = flow.network.constants.get(name)
        if value is None:
            continue
        if value.ndim > ndim or (value.ndim == ndim and value.shape[0] != 1):
            return None
        axis = value.ndim - ndim + 1  # constants are broadcast from their last axis on
        if axis >= 0 and value.shape[axis] > 1:
            found.append((place, axis, value))
    return found


def _zero(flow: Flow, node: onnx.NodeProto, full: List[str], held: Held, channels: int) -> Bools:
    """Which channels of a product are 0 because one of its factors is."""
    zero = np.zeros(channels, bool)
    for name in full:
        zero = zero | flow.zeros.get(name, False)
    for _, axis, value in held:
        zero = zero | ~np.moveaxis(value, axis, 0).reshape(channels, -1).any(axis=1)
    return zero


def batch_norm(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """One that could not be folded into a convolution. gamma = 0 makes a channel constant."""
    source = flow.tensors.get(node.input[0])
    given = [flow.constant(node, place) for place in range(1, 5)]
    values = [
        value for value in given if value is not None and source is not None and value.shape == source.units.shape
    ]
    if source is None or len(values) < 4 or attribute(node, "training_mode", 0) or any(node.output[1:]):
        return None
    units = source.units
    flow.put(node.output[0], units, source.fixed | (values[0] == 0))

    def cut(kept: Kept) -> None:
        for place, value in enumerate(values, 1):
            flow.replace(node, place, value[kept(units)])

    return cut


RULES = {
    **dict.fromkeys(ALONE, alone),
    **dict.fromkeys(POOLS, pool),
    **dict.fromkeys(TOGETHER, together),
    "BatchNormalization": batch_norm,
}
