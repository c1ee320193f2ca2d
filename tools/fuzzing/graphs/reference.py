"""Two independent computations: a fake-quantised network, and what the Q/DQ nodes of a file say.

Neither uses the package. The fake-quantised network rounds every activation of the float network to 256 steps between
its own least and largest value, and every weight to 255 steps for each output channel. That is the plainest way to
quantise a network, and rounds at least where the tool does. It is computed several times with steps that lie
differently, because the error of one rounding of a few values says little.
"""

from __future__ import annotations

import random
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np
import onnx

from fuzzing.graphs.walk import Values, Walk

DRAWS = 6
EXACT = {"Sqrt": 0, "Div": 1}  # these inputs are not rounded: rounded to zero they give no number
Ends = Dict[str, Tuple[float, float]]


class _Seen(Walk):
    """Notes the least and the largest value of each activation."""

    def __init__(self, model: onnx.ModelProto, others: Values, ends: Ends) -> None:
        super().__init__(model, others)
        self._ends = ends

    def activation(self, name: str, value: np.ndarray) -> np.ndarray:
        low, high = self._ends.get(name, (0.0, 0.0))
        self._ends[name] = min(low, float(value.min(initial=0))), max(high, float(value.max(initial=0)))
        return value


class _Fake(Walk):
    """Rounds every activation but the outputs, and every weight. Steps are up to one in a hundred wider than needed."""

    def __init__(self, model: onnx.ModelProto, others: Values, ends: Ends, draw: int) -> None:
        super().__init__(model, others)
        self._ends, self._draw = ends, draw
        self._exact = {node.input[EXACT[node.op_type]] for node in model.graph.node if node.op_type in EXACT}
        self._last = {value.name for value in model.graph.output}

    def activation(self, name: str, value: np.ndarray) -> np.ndarray:
        low, high = self._ends[name]
        if name in self._last or name in self._exact or not high > low or value.dtype.kind != "f":
            return value
        step = (high - low) / 255 * self._wider(name)
        zero = round(-low / step)
        rounded = (np.clip(np.round(value.astype(np.float64) / step) + zero, 0, 255) - zero) * step
        return np.asarray(rounded.astype(value.dtype))

    def weight(self, node: onnx.NodeProto, place: int, value: np.ndarray) -> np.ndarray:
        others = tuple(k for k in range(value.ndim) if k != _channels(node, place, value.ndim))
        step = np.maximum(np.abs(value.astype(np.float64)).max(axis=others, keepdims=True) / 127, 1e-12)
        step = step * self._wider(node.output[0])
        return (np.round(value / step) * step).astype(value.dtype)

    def _wider(self, name: str) -> float:
        return 1 + 0.01 * random.Random(f"{name} {self._draw}").random() if self._draw else 1.0


def _channels(node: onnx.NodeProto, place: int, rank: int) -> int:
    """The axis of the output channels in a weight."""
    if node.op_type in ("Conv", "ConvTranspose"):
        return int(node.op_type == "ConvTranspose")
    if node.op_type == "MatMul":
        return rank - 1 if place else max(0, rank - 2)
    turned = any(a.name == ("transB" if place else "transA") and a.i for a in node.attribute)
    return int(turned != bool(place))


def fake_quantised(model: onnx.ModelProto, feeds: Sequence[np.ndarray], others: Values) -> List[List[Values]]:
    """The outputs of the fake-quantised network for each picture, `DRAWS` times.

    Args:
        others: values of the inputs beside the picture.
    """
    ends: Ends = {}
    for feed in feeds:
        _Seen(model, others, ends).run(feed)
    return [[_Fake(model, others, ends, draw).run(feed) for feed in feeds] for draw in range(DRAWS)]


class Literal(Walk):
    """A quantised file: QuantizeLinear and DequantizeLinear are computed here, by their definition."""

    def compute(self, node: onnx.NodeProto, values: Mapping[str, np.ndarray]) -> Values:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            return super().compute(node, values)
        value, scale = values[node.input[0]], values[node.input[1]]
        zero = values[node.input[2]] if len(node.input) > 2 and node.input[2] else np.zeros_like(scale, np.uint8)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        wide = [-1 if scale.ndim and k == axis % value.ndim else 1 for k in range(value.ndim)]
        factor, offset = scale.astype(np.float64).reshape(wide), zero.astype(np.float64).reshape(wide)
        if node.op_type == "DequantizeLinear":
            return {node.output[0]: np.asarray(((value - offset) * factor).astype(scale.dtype))}
        limits = np.iinfo(zero.dtype)
        whole = np.round(value.astype(np.float64) / factor) + offset
        return {node.output[0]: np.asarray(np.clip(whole, limits.min, limits.max).astype(zero.dtype))}
