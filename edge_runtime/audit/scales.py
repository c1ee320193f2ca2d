"""Ranges of an INT8 file that are wider than the values need, so that few of 256 levels are in use.

A range is compared with the values that the file itself has there before it rounds them. What a function bounds (a
sigmoid to 0..1, the input to what white pixels give) may stay far below its bound on some pictures, and tensors that
are joined share one range. Both are right, so the bounds and the tensors with an equal scale count too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.audit.graphs import Graph
from edge_runtime.audit.likeness import Floats

if TYPE_CHECKING:
    import onnx

BOUNDS = {"Sigmoid": (0.0, 1.0), "HardSigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0), "Tanh": (-1.0, 1.0)}
Key = Tuple[float, int]
Limits = Tuple[float, float]


@dataclass(frozen=True)
class Rounding:
    """An activation that is rounded.

    Attributes:
        name: of the tensor before it is rounded.
        scale, zero: of its QuantizeLinear.
        levels: least and largest integer.
    """

    name: str
    scale: float
    zero: int
    levels: Tuple[int, int]

    def needed(self, low: float, high: float) -> float:
        """The scale that holds these values with the same zero point."""
        above, below = self.levels[1] - self.zero, self.zero - self.levels[0]
        return max(high / above if above else 0.0, -low / below if below else 0.0, 0.0)


@dataclass(frozen=True)
class Wide:
    """A range that is too wide: how many times, and the largest absolute value that was seen there."""

    name: str
    times: float
    largest: float


def widest(graph: Graph, tensors: Sequence[Floats], ends: Limits) -> Optional[Wide]:
    """The range that is widest beside the values of prepared pictures, each (3, H, W); None if none is known.

    Args:
        ends: least and largest value that the input can have.
    """
    found = roundings(graph)
    limits = _limits(graph, [each.name for each in found], tensors)
    limits[graph.io.input_name] = ends
    needed: Dict[Key, float] = {}
    for each in found:
        key = (each.scale, each.zero)
        needed[key] = max(needed.get(key, 0.0), each.needed(*limits[each.name]))
    wide = [Wide(each.name, each.scale / needed[each.scale, each.zero], float(np.abs(limits[each.name]).max()))
            for each in found if needed[each.scale, each.zero] > 0]  # fmt: skip
    return max(wide, key=lambda each: each.times, default=None)


def roundings(graph: Graph) -> List[Rounding]:
    """The activations that are rounded with one scale each."""
    return [each for node in graph.model.graph.node for each in _rounding(graph, node)]


def _rounding(graph: Graph, node: onnx.NodeProto) -> Iterator[Rounding]:
    if node.op_type != "QuantizeLinear" or node.input[0] not in {*graph.made, graph.io.input_name}:
        return
    scale, zero = (graph.constant(name) for name in (*node.input[1:3], "")[:2])
    if scale is None or scale.size != 1 or (len(node.input) > 2 and zero is None):
        return
    kind = np.dtype(np.uint8) if zero is None else zero.dtype
    if kind.kind in "iu" and float(scale.ravel()[0]) > 0:
        limits = np.iinfo(kind)
        number = 0 if zero is None else int(zero.ravel()[0])
        yield Rounding(node.input[0], float(scale.ravel()[0]), number, (int(limits.min), int(limits.max)))


def _limits(graph: Graph, names: Sequence[str], tensors: Sequence[Floats]) -> Dict[str, Limits]:
    """Least and largest value of tensors, with the bounds of the functions that make them."""
    shown = graph.show([name for name in dict.fromkeys(names) if name in graph.made])
    found: Dict[str, Limits] = {name: _bounds(graph, name) for name in names}
    for tensor in tensors:
        for name, value in shown.values(graph.feeds(tensor)).items():
            if value.size:
                low, high = found[name]
                found[name] = min(low, float(value.min())), max(high, float(value.max()))
    return found


def _bounds(graph: Graph, name: str) -> Limits:
    node = graph.made.get(name)
    if node is None:
        return 0.0, 0.0
    if node.op_type == "Clip" and len(node.input) == 3:
        ends = [graph.constant(each) for each in node.input[1:]]
        low, high = (0.0 if end is None or not end.size else float(end.ravel()[0]) for end in ends)
        return min(low, 0.0), max(high, 0.0)
    return BOUNDS.get(node.op_type, (0.0, 0.0))
