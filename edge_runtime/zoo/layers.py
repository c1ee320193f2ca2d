"""How architectures are written: a flat table of primitive layers, made by a few block functions.

`zoo/export.py` turns a table into ONNX, `tools/train/torch_net.py` turns it into PyTorch, and `zoo/stats.py` counts it.
None of them knows a particular network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

from edge_runtime.errors import SpecError
from edge_runtime.model.spec import ModelSpec

IMAGE = "images"
OPS = ("conv", "add", "mul", "concat", "upsample", "maxpool", "global_pool", "slice", "rows")
ACTIVATIONS = ("linear", "relu", "relu6", "leaky", "silu", "mish", "sigmoid", "hardswish", "hardsigmoid")
Gates = Tuple[str, str]


@dataclass(frozen=True)
class Layer:
    """One primitive layer.

    Attributes:
        name: name of its output. Its parameters are `<name>.weight`, `<name>.bias`, `<name>.bn.{weight,bias,mean,var}`.
        op: one of OPS. "upsample" doubles both sides (nearest); "global_pool" averages over the plane; "mul" gates its
            first input by its second, (C, 1, 1); "slice" takes some of the channels; "rows" makes a row of `channels`
            values for each anchor of each cell, first by map, then by cell, then by anchor: (rows, channels).
        inputs: names of earlier layers; IMAGE is the picture.
        channels: output channels.
        kernel, stride, groups: for conv and maxpool. A conv pads kernel // 2 on every side.
        bias, bn: for conv.
        act: one of ACTIVATIONS; leaky has slope 0.1.
        pads: for maxpool: (left, top, right, bottom), filled with minus infinity.
        start: for slice: its first channel.
    """

    name: str
    op: str
    inputs: Tuple[str, ...]
    channels: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    bias: bool = False
    bn: bool = False
    act: str = "linear"
    pads: Tuple[int, int, int, int] = (0, 0, 0, 0)
    start: int = 0

    def __post_init__(self) -> None:
        if self.op not in OPS or self.act not in ACTIVATIONS:
            raise SpecError(f"layer {self.name} is {self.op} with {self.act}", hint=f"expected {OPS} and {ACTIVATIONS}")


@dataclass(frozen=True)
class Architecture:
    """A network as data.

    Attributes:
        name: name of the file in `zoo/`, with the preset.
        layers: the layers, in an order in which they can be computed.
        outputs: names of the layers whose values are the network's outputs.
        spec: what is needed to decode the outputs: input size, labels, anchors and strides.
        unread: layers of the published network that no output reads. They are counted and are in no file.
    """

    name: str
    layers: Tuple[Layer, ...]
    outputs: Tuple[str, ...]
    spec: ModelSpec
    unread: Tuple[Layer, ...] = ()

    def weight_shapes(self) -> Dict[str, Tuple[int, ...]]:
        """Shape of every convolution's weight by parameter name: (out, in / groups, k, k). Those of `unread` too."""
        layers = (*self.layers, *self.unread)
        channels = {IMAGE: 3, **{layer.name: layer.channels for layer in layers}}
        return {
            f"{layer.name}.weight": (
                layer.channels,
                channels[layer.inputs[0]] // layer.groups,
                layer.kernel,
                layer.kernel,
            )
            for layer in layers
            if layer.op == "conv"
        }

    def sizes(self) -> Dict[str, Tuple[int, ...]]:
        """(channels, height, width) of every layer's output, and of the image; (rows, channels) of "rows"."""
        width, height = self.spec.input_wh
        sizes: Dict[str, Tuple[int, ...]] = {IMAGE: (3, height, width)}
        for layer in (*self.layers, *self.unread):
            if layer.op == "rows":
                values = sum(math.prod(sizes[source]) for source in layer.inputs)
                sizes[layer.name] = (values // layer.channels, layer.channels)
            else:
                sizes[layer.name] = (layer.channels, *_plane(layer, sizes[layer.inputs[0]][1:]))
        return sizes


def _plane(layer: Layer, plane: Sequence[int]) -> Tuple[int, int]:
    height, width = plane
    if layer.op == "global_pool":
        return 1, 1
    if layer.op == "upsample":
        return 2 * height, 2 * width
    if layer.op == "maxpool":
        left, top, right, bottom = layer.pads
        return (height + top + bottom - layer.kernel) // layer.stride + 1, (
            width + left + right - layer.kernel
        ) // layer.stride + 1
    if layer.op == "conv":
        around = 2 * (layer.kernel // 2)
        return (height + around - layer.kernel) // layer.stride + 1, (width + around - layer.kernel) // layer.stride + 1
    return height, width


class Table:
    """Collects layers. Every method that adds a block returns the name of its output."""

    def __init__(self) -> None:
        self.layers: List[Layer] = []
        self._channels: Dict[str, int] = {IMAGE: 3}

    def put(self, layer: Layer) -> str:
        """Adds a primitive layer."""
        if layer.name in self._channels or any(source not in self._channels for source in layer.inputs):
            raise SpecError(
                f"layer {layer.name} exists already, or one of its inputs does not exist: {layer.inputs}",
                hint="give each layer a name of its own, and put it after the layers that it reads",
            )
        self.layers.append(layer)
        self._channels[layer.name] = layer.channels
        return layer.name

    def channels(self, name: str) -> int:
        """Returns the number of output channels of a layer."""
        return self._channels[name]

    def conv(
        self, name: str, source: str, channels: int, kernel: int = 1, stride: int = 1, act: str = "relu6",
        bias: bool = False,
    ) -> str:  # fmt: skip
        """Convolution, batch normalisation, activation."""
        return self.put(Layer(name, "conv", (source,), channels, kernel, stride, bias=bias, bn=True, act=act))

    def depthwise(
        self, name: str, source: str, kernel: int = 3, stride: int = 1, act: str = "relu6", bias: bool = False
    ) -> str:
        """One filter per channel, batch normalisation, activation."""
        c = self._channels[source]
        return self.put(Layer(name, "conv", (source,), c, kernel, stride, groups=c, bias=bias, bn=True, act=act))

    def head(self, name: str, source: str, channels: int, bias: bool = True) -> str:
        """A plain 1x1 convolution: the last layer of a detection head."""
        return self.put(Layer(name, "conv", (source,), channels, bias=bias))

    def inverted(
        self, name: str, source: str, hidden: int, channels: int, stride: int = 1, act: str = "relu6", kernel: int = 3,
        bias: bool = False, squeeze: int = 0, gates: Gates = ("relu", "hardsigmoid"),
    ) -> str:  # fmt: skip
        """1x1 to `hidden`, depthwise with the stride, linear 1x1; the input is added if the shapes agree.

        Args:
            hidden: 0 leaves the first convolution out.
            bias: whether the convolutions have a bias before their normalisation.
            squeeze: hidden channels of a gate behind the depthwise convolution; 0: none.
            gates: activations of that gate.
        """
        x = self.conv(f"{name}.expand", source, hidden, act=act, bias=bias) if hidden else source
        x = self.depthwise(f"{name}.depthwise", x, kernel, stride, act, bias)
        if squeeze:
            x = self.gate(f"{name}.gate", x, squeeze, gates, bias=True)
        x = self.conv(f"{name}.project", x, channels, act="linear", bias=bias)
        return self.residual(name, source, x, stride)

    def residual(self, name: str, source: str, branch: str, stride: int = 1) -> str:
        """The sum of input and branch if they have the same shape, else the branch."""
        if stride != 1 or self._channels[source] != self._channels[branch]:
            return branch
        return self.put(Layer(f"{name}.add", "add", (branch, source), self._channels[branch]))

    def gate(self, name: str, source: str, hidden: int, acts: Gates = ("relu6", "sigmoid"), bias: bool = False) -> str:
        """Squeeze and excite: mean over the plane, two 1x1 convolutions, times the input (Hu et al. 2018)."""
        c = self._channels[source]
        x = self.put(Layer(f"{name}.pool", "global_pool", (source,), c))
        x = self.put(Layer(f"{name}.squeeze", "conv", (x,), hidden, bias=bias, act=acts[0]))
        x = self.put(Layer(f"{name}.excite", "conv", (x,), c, bias=bias, act=acts[1]))
        return self.put(Layer(f"{name}.mul", "mul", (source, x), c))

    def concat(self, name: str, *sources: str) -> str:
        """The channels of all, one after the other."""
        return self.put(Layer(name, "concat", sources, sum(self._channels[source] for source in sources)))

    def up_concat(self, name: str, source: str, other: str) -> str:
        """Doubles the size of the first input, then appends the channels of the other."""
        up = self.put(Layer(f"{name}.up", "upsample", (source,), self._channels[source]))
        return self.concat(f"{name}.concat", up, other)

    def maxpool(self, name: str, source: str, kernel: int = 2, stride: int = 2) -> str:
        """Maximum pooling. With stride 1 it pads right and below and so keeps the size, as Darknet does."""
        pads = (0, 0, kernel - 1, kernel - 1) if stride == 1 else (0, 0, 0, 0)
        return self.put(Layer(name, "maxpool", (source,), self._channels[source], kernel, stride, pads=pads))
