"""Turns a network into float16: weights take half the space, inputs and outputs keep their types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Collection, Dict, List, Sequence, Set

import numpy as np

from edge_runtime.graph.float32_kinds import LARGEST, float32_kinds
from edge_runtime.graph.network import Network

if TYPE_CHECKING:
    import onnx

PARAMETERS = {"Resize": (1, 2), "Upsample": (1,)}  # inputs that stay as they are
MOVING = ("Concat", "Flatten", "Gather", "Identity", "MaxPool", "Relu", "Reshape", "Slice", "Split", "Squeeze",
          "Transpose", "Unsqueeze")  # fmt: skip


def half(network: Network, keep: Collection[str] = (), emulated: bool = False) -> onnx.ModelProto:
    """Makes the network compute in float16 between its inputs and outputs, in place.

    What `float32_kinds` names stays in float32, such as the decoding of boxes. Quantised parts stay quantised, with
    float32 scales. Tensor `x` is called `x.half` in float16.

    Args:
        keep: first outputs of more nodes that stay in float32.
        emulated: compute in float32, and round every result to float16. ONNX Runtime on a CPU leaves roundings out of a
            real float16 network, so that nothing overflows there as it would on a GPU.
    """
    _Writer(network, keep, emulated).write()
    return network.model


def float16_tensors(network: Network, keep: Collection[str] = ()) -> List[str]:
    """Returns the activations that `half` would hold in float16, also those that are computed in float32."""
    writer = _Writer(network, keep, False)
    names = [*network.inputs, *(name for node in network.nodes for name in node.output)]
    return [name for name in names if name in writer.held]


class _Writer:
    """Writes one network in float16. Casts are added where a tensor is read in the other type."""

    def __init__(self, network: Network, keep: Collection[str], emulated: bool) -> None:
        from onnx import TensorProto

        self._network, self._emulated = network, emulated
        self._floats = {name for name, number in network.types.items() if number == TensorProto.FLOAT}
        kept = {*keep, *float32_kinds(network)}
        inner = self._floats - set(network.constants)
        self.chosen = {
            n.output[0]: n for n in network.nodes if n.output[0] not in kept and inner.intersection(n.output)
        }
        made = {name for node in self.chosen.values() for name in node.output}
        self.held = (made | self._readers()[1]) & inner
        self._nodes: List[onnx.NodeProto] = []
        self._constants: Dict[str, str] = {}

    def write(self) -> None:
        """Rewrites the nodes in order."""
        network = self._network
        in_float, in_half = self._readers()
        for name in network.inputs:
            self._also_half(name, in_half)
        for node in network.nodes:
            if node.output[0] in self.chosen:
                self._write_half(node, in_float)
            else:
                self._nodes.append(node)
                for name in node.output:
                    self._also_half(name, in_half)
        network.replace_nodes(self._nodes)
        del network.model.graph.value_info[:]

    def _readers(self) -> List[Set[str]]:
        """Returns the tensors that are read in float32, and those that are read in float16."""
        in_float, in_half = set(self._network.outputs), set()
        for node in self._network.nodes:
            halves = self._halves(node) if node.output[0] in self.chosen else []
            in_half.update(halves)
            in_float.update(name for name in self._network.reads(node) if name not in halves)
        return [in_float, in_half]

    def _halves(self, node: onnx.NodeProto) -> List[str]:
        """Returns the inputs that a float16 node reads in float16."""
        places = PARAMETERS.get(node.op_type, ())
        return [name for place, name in enumerate(node.input) if place not in places and name in self._floats]

    def _write_half(self, node: onnx.NodeProto, in_float: Set[str]) -> None:
        places = PARAMETERS.get(node.op_type, ())
        for place, name in enumerate(node.input):
            if name in self._floats and place not in places:
                node.input[place] = self._constant(name) if name in self._network.constants else f"{name}.half"
        names = [name for name in node.output if name in self._floats]
        exact = not self._emulated or node.op_type in MOVING
        for place, name in enumerate(node.output):
            if name in names:
                node.output[place] = f"{name}.half" if exact else f"{name}.exact"
        self._nodes.append(node)
        for name in names:
            if not exact:
                self._round(f"{name}.exact", f"{name}.half")
            if name in in_float:
                self._to_float(f"{name}.half", name)

    def _constant(self, name: str) -> str:
        """Adds a float16 copy of a constant. Constants that no node reads are removed at the end."""
        if name not in self._constants:
            limited = np.clip(self._network.constants[name], -LARGEST, LARGEST).astype(np.float16)
            value = limited.astype(np.float32) if self._emulated else limited
            self._constants[name] = self._network.set_constant(f"{name}.half", value)
        return self._constants[name]

    def _also_half(self, name: str, in_half: Set[str]) -> None:
        if name not in in_half or name in self._network.constants:
            return
        if self._emulated:
            self._round(name, f"{name}.half")
        else:
            self._cast(name, f"{name}.half", 16)

    def _round(self, source: str, target: str) -> None:
        """Rounds through float16. The Max between the casts keeps ONNX Runtime from removing them."""
        self._cast(source, f"{target}.rounded", 16)
        self._add("Max", [f"{target}.rounded"], f"{target}.16")
        self._cast(f"{target}.16", target, 32)

    def _to_float(self, source: str, target: str) -> None:
        if self._emulated:
            self._add("Identity", [source], target)
        else:
            self._cast(source, target, 32)

    def _cast(self, source: str, target: str, bits: int) -> None:
        from onnx import TensorProto

        self._add("Cast", [source], target, to=TensorProto.FLOAT16 if bits == 16 else TensorProto.FLOAT)

    def _add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        from onnx import helper

        self._nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
