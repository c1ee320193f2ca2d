"""A random pruned network that grows layer by layer, with dead filters whose constants go on."""

from __future__ import annotations

import random
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

SIZE = (3, 12, 16)
ACTIVATIONS = "Relu LeakyRelu Sigmoid HardSwish HardSigmoid Elu Tanh Softplus Clip PRelu Silu none".split()


class Pruned:
    """A network that grows layer by layer.

    Attributes:
        share: part of the filters that are dead, 0 to 1.
        sizes: (C, H, W) of each tensor.
        maps: tensors that later layers may read, the newest last.
    """

    def __init__(self, seed: str) -> None:
        self.chance = random.Random(seed)
        self.numbers = np.random.default_rng(self.chance.getrandbits(32))
        self.share = self.chance.choice([0.0, 0.2, 0.4, 0.6, 0.8, 0.95])
        self.nodes: List[onnx.NodeProto] = []
        self.tensors: List[onnx.TensorProto] = []
        self.sizes: Dict[str, Tuple[int, ...]] = {"images": SIZE}
        self.maps = ["images"]

    def add(self, op: str, inputs: Sequence[str], size: Tuple[int, ...], **attributes: Any) -> str:
        """Adds a node with one output of this size without the batch."""
        name = f"t{len(self.sizes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        self.sizes[name] = size
        return name

    def constant(self, value: Any) -> str:
        """Adds an initializer."""
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def weight(self, *shape: int) -> np.ndarray:
        """Random weights with dead filters along the first axis, and dead columns along the second."""
        made = self.numbers.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        made[self.numbers.random(shape[0]) < self.share] = 0
        if self.chance.random() < 0.3 and shape[1] > 1:
            made[:, self.numbers.random(shape[1]) < self.share] = 0
        return made.astype(np.float32)

    def vector(self, count: int, scale: float = 0.5) -> np.ndarray:
        """Random numbers, (count,)."""
        return (self.numbers.standard_normal(count) * scale).astype(np.float32)

    def pick(self) -> str:
        """A map: the newest, or an older one."""
        return self.maps[-1] if self.chance.random() < 0.7 else self.chance.choice(self.maps)

    def conv(self, source: str, filters: int, kernel: int = 0, groups: int = 1, same: bool = False) -> str:
        """A convolution; `same` keeps the plane."""
        channels, height, width = self.sizes[source]
        kernel = kernel or self.chance.choice([1, 1, 3, 3, 5] if min(height, width) > 4 else [1])
        pad = kernel // 2 if same or self.chance.random() < 0.7 else 0
        stride = 1 if same or min(height, width) < 6 else self.chance.choice([1, 1, 2])
        inputs = [source, self.constant(self.weight(filters, channels // groups, kernel, kernel))]
        if self.chance.random() < 0.75:
            inputs.append(self.constant(self.vector(filters)))
        plane = tuple((side + 2 * pad - kernel) // stride + 1 for side in (height, width))
        named = {"pads": [pad] * 4} if pad != kernel // 2 or self.chance.random() < 0.8 else {"auto_pad": "SAME_UPPER"}
        if "auto_pad" in named:
            plane = tuple(-(-side // stride) for side in (height, width))
        return self.add("Conv", inputs, (filters, *plane), strides=[stride] * 2, group=groups, **named)

    def act(self, source: str) -> str:
        """Batch normalisation at times, then an activation."""
        size, kind = self.sizes[source], self.chance.choice(ACTIVATIONS)
        if self.chance.random() < 0.2:
            gamma = np.where(self.numbers.random(size[0]) < self.share / 2, 0, self.vector(size[0]) + 1)
            values = [
                gamma.astype(np.float32),
                self.vector(size[0]),
                self.vector(size[0]),
                self.vector(size[0]) ** 2 + 1,
            ]
            source = self.add("BatchNormalization", [source, *map(self.constant, values)], size)
        if kind == "none":
            return source
        if kind == "Silu":
            return self.add("Mul", [source, self.add("Sigmoid", [source], size)], size)
        more = {"Clip": [np.float32(0), np.float32(6)], "PRelu": [self.vector(size[0]).reshape(-1, 1, 1)]}.get(kind, [])
        return self.add(kind, [source, *map(self.constant, more)], size)

    def keep(self, name: str) -> None:
        """Lets later layers read a map."""
        self.maps.append(name)

    def width(self) -> int:
        """A number of filters."""
        return self.chance.choice([2, 4, 6, 8, 12, 16, 24])
