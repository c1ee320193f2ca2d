"""What rounding adds to the mean output of a convolution (Nagel et al. 2019, arXiv 1906.04721), and what lessens it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Collection, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.channels import per_output

if TYPE_CHECKING:
    import onnx

Floats = NDArray[np.float32]
RARE = 0.5  # a weight that lies outside the map for more than this part of the outputs


@dataclass(frozen=True)
class Corrections:
    """What pictures tell beside the ranges.

    Attributes:
        means: (channels,) mean of the input of each Conv, before and after rounding.
        weights: weights whose rounding is learned, on their grids, by constant.
    """

    means: Mapping[str, Tuple[Floats, Floats]] = field(default_factory=dict)
    weights: Mapping[str, Floats] = field(default_factory=dict)

    def without(self, names: Collection[str]) -> Corrections:
        """Returns the corrections if these activations are not rounded."""
        means = {name: (pair[0], pair[name not in names]) for name, pair in self.means.items()}
        return replace(self, means=means)


def added_mean(
    node: onnx.NodeProto, weight: Floats, rounded: Floats, means: Tuple[Floats, Floats], shape: Sequence[int]
) -> Floats:
    """Returns what rounding the weights and the input adds to each output channel of a Conv, (out,).

    Every weight is taken to multiply the mean of its channel. In a map that is small against the kernel some weights
    mostly multiply the zeros of the padding: there, each counts as often as it lies inside the map.

    Args:
        weight, rounded: (out, in per group, ...) before and after rounding.
        means: (channels,) mean of the input before and after rounding.
        shape: (B, channels, ...) of the input; () if it is not known.
    """
    kernel = tuple(range(2, weight.ndim))
    before, after = (per_output(mean, weight.shape) for mean in means)
    inside = inside_shares(node, shape[2:], weight.shape[2:])
    if inside is not None and inside.min() < RARE:
        weight, rounded = weight * inside, rounded * inside
    added: Floats = (rounded.sum(axis=kernel) * after - weight.sum(axis=kernel) * before).sum(axis=1)
    return added


def inside_shares(node: onnx.NodeProto, sizes: Sequence[int], kernel: Sequence[int]) -> Optional[Floats]:
    """Returns for each weight of a kernel the part of the outputs for which it lies inside the map, not in the padding.

    Args:
        sizes: height and width of the map, or as many sizes as the kernel has.
        kernel: sizes of the kernel.

    Returns:
        (kernel height, kernel width) float32, or as many axes as the kernel has; None if the sizes are not known.
    """
    if len(sizes) != len(kernel) or min(sizes, default=0) < 1:
        return None
    shares = np.ones((), np.float32)
    for size, places in zip(sizes, places_read(node, sizes, kernel)):
        shares = shares[..., None] * ((places >= 0) & (places < size)).mean(axis=1).astype(np.float32)
    return shares


def places_read(node: onnx.NodeProto, sizes: Sequence[int], kernel: Sequence[int]) -> List[NDArray[np.int64]]:
    """Returns for each axis of a map which places the weights of a kernel read, (kernel, outputs).

    A place below 0, or not below the size, lies in the padding. Arguments as in `inside_shares`.
    """
    given: Dict[str, Any] = {a.name: a for a in node.attribute}
    strides, dilations = (list(given[n].ints) if n in given else [1] * len(kernel) for n in ("strides", "dilations"))
    found = []
    for axis, (size, count) in enumerate(zip(sizes, kernel)):
        reach = dilations[axis] * (count - 1) + 1
        first, last = _padding(given, axis, size, strides[axis], reach)
        outputs = np.arange(max(1, (size + first + last - reach) // strides[axis] + 1))
        found.append(outputs * strides[axis] - first + dilations[axis] * np.arange(count)[:, None])
    return found


def _padding(given: Dict[str, Any], axis: int, size: int, stride: int, reach: int) -> Tuple[int, int]:
    """The zeros before and after the map along one axis."""
    kind = given["auto_pad"].s.decode() if "auto_pad" in given else "NOTSET"
    if kind.startswith("SAME"):
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        less = total // 2
        return (less, total - less) if kind == "SAME_UPPER" else (total - less, less)
    pads = list(given["pads"].ints) if "pads" in given and kind == "NOTSET" else []
    return (pads[axis], pads[axis + len(pads) // 2]) if pads else (0, 0)
