"""Where the output channels of an operator are in its weight and bias, and how scales go with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.network import Network

if TYPE_CHECKING:
    import onnx

Floats = NDArray[np.float32]
Axis = Optional[int]


def per_output(mean: Floats, shape: Tuple[int, ...]) -> Floats:
    """Returns the means of the channels that each filter of a convolution reads, (out, in per group)."""
    filters, each = shape[:2]
    group = np.arange(filters) * (len(mean) // each) // filters
    inputs: Floats = mean.reshape(-1, each)[group]
    return inputs


def per_channel(bias: Optional[Floats], channels: int) -> bool:
    """Whether a bias (any shape) has one value per output channel, for each group of a ConvTranspose."""
    return bias is not None and bias.ndim == 1 and len(bias) % channels == 0


def spread(scales: NDArray[Any], axis: Axis, ndim: int) -> NDArray[Any]:
    """Returns the scales (channels,), or one scale (), in a shape that multiplies a weight of `ndim` axes."""
    return scales.reshape([-1 if k == axis else 1 for k in range(ndim)])


def axis_of(network: Network, node: onnx.NodeProto) -> Axis:
    """Returns the axis of the output channels in a node's weight; None if it has no single one.

    The weight of a ConvTranspose is (in, out per group, ...): its scales hold for the same channel of each group.
    A weight at the left of a MatMul has rows instead, and no kernel takes one scale per row.
    """
    if node.op_type == "Conv":
        return 0
    if node.op_type == "Gemm":
        return 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
    if node.op_type == "MatMul":
        plain = network.weight_place(node) == 1 and network.constants[node.input[1]].ndim == 2
        return 1 if plain else None
    return 1
