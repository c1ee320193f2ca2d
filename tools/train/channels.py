"""Which channels of a table stand and fall together, and the table without some of them.

A channel is written by a filter and read by a column of other filters. A depthwise convolution keeps it, an addition
or a gate ties it to a channel of the other input, and a concatenation moves it. All that is tied is one unit: it is
removed as a whole or stays as a whole. The pictures, the heads, and what a slice or a grouped convolution reads stay.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

import numpy as np
import onnx
from numpy.typing import NDArray

from edge_runtime import zoo
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.model.spec import METADATA_KEY, ModelSpec
from edge_runtime.zoo.layers import IMAGE, Architecture, Layer
from edge_runtime.zoo.stats import architecture_layers
from edge_runtime.zoo.weights import Weights

Ints = NDArray[np.int64]
Kept = NDArray[np.bool_]
TYING = ("add", "mul")


class Units:
    """The units of a table.

    Attributes:
        count: number of units.
        of: (channels,) int64 unit of each channel, by layer; also of the image.
        free: (count,) bool, whether a unit may be removed.
        families: units that the same convolutions write, by the names of these.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self._parent: List[int] = []
        self._fixed: Set[int] = set()
        found = {IMAGE: self._new(3)}
        for layer in architecture.layers:
            found[layer.name] = self._written(layer, [found[name] for name in layer.inputs])
        self._fixed.update(*(found[name].tolist() for name in (IMAGE, *architecture.outputs)))
        roots = sorted({self._root(k) for k in range(len(self._parent))})
        numbers = {root: number for number, root in enumerate(roots)}
        self.of = {name: np.array([numbers[self._root(k)] for k in ids]) for name, ids in found.items()}
        self.count, self.free = len(roots), np.ones(len(roots), bool)
        self.free[[numbers[self._root(k)] for k in self._fixed]] = False
        self.families = self._families()

    def _new(self, count: int) -> Ints:
        first = len(self._parent)
        self._parent.extend(range(first, first + count))
        return np.arange(first, first + count)

    def _root(self, k: int) -> int:
        while self._parent[k] != k:
            self._parent[k] = self._parent[self._parent[k]]
            k = self._parent[k]
        return k

    def _written(self, layer: Layer, sources: List[Ints]) -> Ints:
        """The channels that a layer writes."""
        if layer.op == "conv" and not is_depthwise(layer, len(sources[0])):
            made = self._new(layer.channels)
            if layer.groups > 1:
                self._fixed.update([*sources[0].tolist(), *made.tolist()])
            return made
        if layer.op == "concat":
            return np.concatenate(sources)
        if layer.op == "slice":
            self._fixed.update(sources[0].tolist())
            return sources[0][layer.start : layer.start + layer.channels]
        if layer.op in TYING:
            for one, other in zip(*sources):
                self._parent[self._root(int(other))] = self._root(int(one))
        return sources[0]

    def _families(self) -> Dict[Tuple[str, ...], Ints]:
        writers: Dict[int, List[str]] = {}
        for layer in self.architecture.layers:
            if layer.op == "conv":
                for unit in self.of[layer.name].tolist():
                    writers.setdefault(unit, []).append(layer.name)
        families: Dict[Tuple[str, ...], List[int]] = {}
        for unit, names in writers.items():
            families.setdefault(tuple(names), []).append(unit)
        return {names: np.array(units) for names, units in families.items()}

    def macs(self) -> NDArray[np.float64]:
        """(count,) multiply-adds that go if one unit alone is removed."""
        found, sizes, shapes = np.zeros(self.count), self.architecture.sizes(), self.architecture.weight_shapes()
        for layer in self.architecture.layers:
            if layer.op == "conv":
                out, each, height, width = shapes[f"{layer.name}.weight"]
                one = height * width * np.prod(sizes[layer.name][1:])
                np.add.at(found, self.of[layer.name], one * each)
                if not is_depthwise(layer, sizes[layer.inputs[0]][0]):
                    np.add.at(found, self.of[layer.inputs[0]], one * out / layer.groups)
        return found


def is_depthwise(layer: Layer, channels_in: int) -> bool:
    """Whether each filter of a convolution reads the one channel of the same number."""
    return layer.op == "conv" and layer.groups == layer.channels == channels_in and layer.groups > 1


def conv_macs(architecture: Architecture) -> int:
    """Multiply-adds of all convolutions."""
    return sum(row.conv_macs for row in architecture_layers(architecture))


def widths_in(model: onnx.ModelProto) -> Dict[str, int]:
    """Output channels of each convolution of a file that `to_onnx` wrote."""
    tensors = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 4]
    return {tensor.name[: -len(".weight")]: int(tensor.dims[0]) for tensor in tensors}


def architecture_of(model: onnx.ModelProto, name: str, imgsz: Optional[int] = None) -> Architecture:
    """The table of a file that `to_onnx` wrote, with the file's own spec and numbers of filters.

    Args:
        name: of the architecture.
        imgsz: another side of the input.

    Raises:
        ModelError: the file says nothing about itself.
    """
    text = next((entry.value for entry in model.metadata_props if entry.key == METADATA_KEY), None)
    if text is None:
        raise ModelError("the file has no metadata", hint="give a file that train.py, filters.py or ship.py wrote")
    spec = ModelSpec.from_json(text)
    size = (imgsz, imgsz) if imgsz else spec.input_wh
    whole = replace(zoo.build(name, spec.labels, size[0]), spec=replace(spec, input_wh=size))
    return resized(whole, widths_in(model))


def resized(architecture: Architecture, widths: Mapping[str, int]) -> Architecture:
    """The same network with other numbers of channels.

    Args:
        widths: output channels of convolutions. Those that are not in it, and the heads, keep theirs.
    """
    channels, layers = {IMAGE: 3}, []
    before = {IMAGE: 3, **{layer.name: layer.channels for layer in architecture.layers}}
    for layer in architecture.layers:
        given = [channels[name] for name in layer.inputs]
        changed: Dict[str, Any] = {"channels": given[0]}
        if is_depthwise(layer, before[layer.inputs[0]]):
            changed["groups"] = given[0]
        elif layer.op in ("conv", "slice"):
            alone = layer.op == "conv" and layer.name not in architecture.outputs
            changed["channels"] = widths.get(layer.name, layer.channels) if alone else layer.channels
        elif layer.op == "concat":
            changed["channels"] = sum(given)
        layers.append(replace(layer, **changed))
        channels[layer.name] = layers[-1].channels
    return replace(architecture, layers=tuple(layers))


def without(units: Units, kept: Kept, weights: Weights) -> Tuple[Architecture, Weights]:
    """The network and the weights that are left.

    Args:
        kept: (units,) which stay.
        weights: of the whole network, as in `zoo.weights`.
    """
    before = units.architecture
    left = {name: kept[numbers] for name, numbers in units.of.items()}
    after = resized(before, {layer.name: int(left[layer.name].sum()) for layer in before.layers if layer.op == "conv"})
    values = dict(weights)
    for layer in before.layers:
        if layer.op != "conv":
            continue
        for name in [name for name in weights if name.startswith(f"{layer.name}.")]:
            values[name] = weights[name][left[layer.name]]
        if not is_depthwise(layer, len(left[layer.inputs[0]])) and layer.groups == 1:
            values[f"{layer.name}.weight"] = values[f"{layer.name}.weight"][:, left[layer.inputs[0]]]
    return after, values


def choose(units: Units, scores: NDArray[np.float64], share: float, multiple: int = 8) -> Kept:
    """Which units stay, (units,) bool, so that at most a share of the multiply-adds is left.

    The units with the lowest scores go. Each family gives away its worst ones until its size is a multiple of
    `multiple`, then as many as that at once; as many as that stay.

    Args:
        scores: (units,) what a unit is worth; one that is not finite stays.
        share: 0 to 1.

    Raises:
        UsageError: so little cannot be reached.
    """
    blocks = _blocks(units, scores, multiple)
    wanted = share * conv_macs(units.architecture)

    def kept(count: int) -> Kept:
        left = np.ones(units.count, bool)
        for block in blocks[:count]:
            left[block] = False
        return left

    if _macs_left(units, kept(len(blocks))) > wanted:
        least = _macs_left(units, kept(len(blocks))) / conv_macs(units.architecture)
        hint = "ask for a larger share, or for a smaller --multiple"
        raise UsageError(f"{share:.2f} of the multiply-adds cannot be reached, {least:.2f} can", hint=hint)
    low, high = 0, len(blocks)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _macs_left(units, kept(middle)) <= wanted else (middle + 1, high)
    return kept(low)


def _macs_left(units: Units, kept: Kept) -> int:
    convs = [layer.name for layer in units.architecture.layers if layer.op == "conv"]
    return conv_macs(resized(units.architecture, {name: int(kept[units.of[name]].sum()) for name in convs}))


def _blocks(units: Units, scores: NDArray[np.float64], multiple: int) -> List[Ints]:
    """Units that go together, the least worth first. Within a family the mean score rises, so their order holds."""
    blocks: List[Tuple[float, Ints]] = []
    for family in units.families.values():
        if len(family) <= multiple or not (units.free[family] & np.isfinite(scores[family])).all():
            continue
        ranked = family[scores[family].argsort(kind="stable")]
        ends = [len(family) % multiple or multiple]
        while len(family) - ends[-1] > multiple:
            ends.append(ends[-1] + multiple)
        for first, last in zip([0, *ends], ends):
            blocks.append((float(scores[ranked[first:last]].mean()), ranked[first:last]))
    return [block for _, block in sorted(blocks, key=lambda pair: pair[0])]
