"""What is known about the channels of a network: which belong together, and which are the same for every picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.compact.units import Ints, Units
from edge_runtime.graph.kinds import Shape
from edge_runtime.graph.network import Network

if TYPE_CHECKING:
    import onnx

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Kept = Callable[[Ints], Bools]  # of units (n,): which are kept, (n,)
Cut = Callable[[Kept], None]  # removes channels from a node's own constants and attributes


@dataclass(frozen=True)
class Channels:
    """The channels of a tensor (N, C, ...).

    Attributes:
        units: the unit of each channel, (C,) int64.
        fixed: whether a channel has the same values for every picture, (C,) bool.
    """

    units: Ints
    fixed: Bools


@dataclass(frozen=True)
class Link:
    """An operator whose output channels are sums over its input channels. Only here are channels really dropped.

    Attributes:
        weight: (O, I, K) float32, a view of the constant; K are the places of a kernel.
        bias: (O,) float32; None if there is none.
        shifts: whether a constant in the input is a constant in the output, so that a bias can take its place.
        store: puts a weight (O', I', K) and a bias (O',) or None into the node.
    """

    source: str
    target: str
    weight: Floats
    bias: Optional[Floats]
    shifts: bool
    store: Callable[[Floats, Optional[Floats]], None]


class Flow:
    """The channels of all tensors, as the rules of operators fill them in, in the order of the nodes.

    Attributes:
        tensors: tensors (N, C, ...) of known shape.
        links: see `Link`.
        cuts: what else is to be changed when channels are removed.
        needed: units that stay in any case.
        zeros: by tensor, which fixed channels are known to be 0, (C,) bool.
    """

    def __init__(self, network: Network, shapes: Mapping[str, Shape], zeros: Mapping[str, Bools]) -> None:
        self.network, self.shapes, self.zeros = network, shapes, zeros
        self.units = Units()
        self.tensors: Dict[str, Channels] = {}
        self.links: List[Link] = []
        self.cuts: List[Cut] = []
        self.needed: List[Ints] = []

    def put(self, name: str, units: Ints, fixed: Bools) -> None:
        """Says what the channels of a tensor are; arrays (C,)."""
        self.tensors[name] = Channels(units, fixed)

    def fresh(self, name: str, fixed: Optional[Bools] = None) -> None:
        """Gives a tensor channels of its own; `fixed` is (C,), by default all False. One of unknown shape gets none."""
        shape = self.shapes.get(name, ())
        if len(shape) > 1 and min(shape) > 0:
            self.put(name, self.units.new(shape[1]), np.zeros(shape[1], bool) if fixed is None else fixed)

    def keep(self, name: str) -> None:
        """Keeps all channels of a tensor."""
        if name in self.tensors:
            self.needed.append(self.tensors[name].units)

    def bar(self, node: onnx.NodeProto) -> None:
        """Keeps all channels that a node reads and writes, because it is not known what it does with them."""
        for name in node.output:
            self.fresh(name)
        for name in (*self.network.reads(node), *node.output):
            self.keep(name)

    def constant(self, node: onnx.NodeProto, place: int) -> Optional[NDArray[Any]]:
        """Returns the constant at a place of a node's inputs, of any shape; None if there is none."""
        return self.network.constants.get(node.input[place]) if place < len(node.input) else None

    def replace(self, node: onnx.NodeProto, place: int, value: NDArray[Any]) -> None:
        """Gives a node a constant of its own, of any shape, at a place of its inputs. Others may read the old one."""
        old = self.constant(node, place)
        if old is not None and np.array_equal(old, value):
            return
        name = f"{node.output[0]}.kept{place}"
        while name in self.network.constants and name not in node.input[place : place + 1]:
            name += "_"
        node.input.extend([""] * (place + 1 - len(node.input)))
        node.input[place] = self.network.set_constant(name, value)


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """Returns the value of an attribute: a number, bytes, or a list."""
    from onnx import helper

    found = next((each for each in node.attribute if each.name == name), None)
    return default if found is None else helper.get_attribute_value(found)


def nothing(kept: Kept) -> None:
    """For nodes that hold nothing with channels."""


def same(flow: Flow, node: onnx.NodeProto, cut: Cut = nothing) -> Optional[Cut]:
    """The one output has the channels of the first input. None, and nothing is said, if it has others."""
    source, shape = flow.tensors.get(node.input[0]), flow.shapes.get(node.output[0], ())
    if source is None or any(node.output[1:]) or shape[1:2] != (len(source.units),):
        return None
    flow.put(node.output[0], source.units, source.fixed)
    return cut
