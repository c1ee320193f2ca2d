"""Opens the batch of a network that was exported for one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Set

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.graph.batch_axes import axis_after
from edge_runtime.graph.batch_seen import Seen
from edge_runtime.graph.branches import sizes_to_constants
from edge_runtime.graph.folding import fold_constants
from edge_runtime.graph.network import DOMAINS, Network
from edge_runtime.model import onnx_file

if TYPE_CHECKING:
    import onnx

SAMPLES = "batch"  # name of the open size
HINT = "leave --batch out, or export the model with a dynamic batch"


def fixed_at_one(model: onnx.ModelProto) -> bool:
    """Whether the network takes one picture at a time and no more."""
    return onnx_file.batches_of(model) == [1]


def open_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the network for any number of pictures. Each of them gets the same operations as before, alone.

    The axis of the pictures is followed through all operators. Sizes that were written down for one picture are
    replaced. An operator that might mix pictures, or is not known, is an error.

    Args:
        model: with all its weights, and inputs of fixed size for one picture. It is changed.

    Raises:
        ModelError: the batch cannot be opened, with the reason.
    """
    del model.graph.value_info[:]  # sizes for one picture
    opening = _Opening(Network(model))
    opening.run()
    for value in model.graph.output:
        if opening.axes.get(value.name) != 0:
            raise _refused(f"output {value.name} does not have one part for each picture")
    for value in (*model.graph.input, *model.graph.output):
        if value.name in opening.axes and value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = SAMPLES
    return model


class _Opening:
    """Follows the pictures through a network.

    Attributes:
        axes: of each tensor that depends on the picture, the axis of the pictures.
    """

    def __init__(self, network: Network) -> None:
        self._network, known = network, network.copy()
        sizes_to_constants(known)
        fold_constants(known)
        self._values: Dict[str, NDArray[Any]] = {**network.constants, **known.constants}
        self._shapes = known.shapes
        left = {name for node in known.nodes for name in node.output}
        self._folded = {name for node in network.nodes for name in node.output} - left
        self._sizes: Set[str] = set()  # what follows from the sizes of the picture
        opsets = [entry.version for entry in network.model.opset_import if entry.domain in DOMAINS]
        self._opset = max(opsets, default=1)
        self.axes = dict.fromkeys(network.inputs, 0)

    def run(self) -> None:
        """Rewrites the network, in place."""
        for name in self.axes:
            if self._shapes.get(name, ())[:1] != (1,):
                raise _refused(f"input {name} is not for one picture of a fixed size")
        nodes: List[onnx.NodeProto] = []
        for node in self._network.nodes:
            read = self._network.reads(node)
            if any(name in self.axes or name in self._sizes for name in read):
                nodes += self._moved(node, read)
            else:
                nodes.append(node)
        self._network.replace_nodes(nodes)

    def _moved(self, node: onnx.NodeProto, read: List[str]) -> List[onnx.NodeProto]:
        """What takes the place of a node that depends on the picture or its size."""
        if self._folded.issuperset(node.output):
            self._sizes.update(node.output)
            for name in node.output:
                if name in self._values:
                    self._network.set_constant(name, self._values[name])
            return []
        seen = Seen(
            node, self._opset, [self.axes.get(name) for name in node.input],
            [self._shapes.get(name) for name in node.input], [self._values.get(name) for name in node.input],
            self._shapes.get(node.output[0]),
        )  # fmt: skip
        plain = node.domain in DOMAINS and all(name in node.input for name in read)
        axis = axis_after(seen) if plain else None
        if axis is None:
            raise _refused(f"{node.op_type} {node.name or node.output[0]} may mix the pictures")
        self.axes.update({name: axis for name in node.output if name})
        return [*self._rewritten(node, seen, axis), node]

    def _rewritten(self, node: onnx.NodeProto, seen: Seen, axis: int) -> List[onnx.NodeProto]:
        """Opens the sizes that a node is given. Returns the nodes that compute them."""
        if node.op_type == "Reshape":
            sizes = [-1 if place == axis else size for place, size in enumerate(seen.made or ())]
            node.input[1] = self._constant(f"{node.output[0]}.sizes", sizes)
        if node.op_type == "Resize" and len(node.input) > 3 and "axes" not in seen.given:
            return self._counted(node, seen)
        return []

    def _counted(self, node: onnx.NodeProto, seen: Seen) -> List[onnx.NodeProto]:
        """Gives Resize the number of pictures that its input has, before its other sizes."""
        from onnx import helper

        name = node.output[0]
        first = self._constant(f"{name}.first", [0])
        rest = self._constant(f"{name}.rest", (seen.numbers("", 3) or [])[1:])
        node.input[3] = f"{name}.sizes"
        return [
            helper.make_node("Shape", [node.input[0]], [f"{name}.shape"]),
            helper.make_node("Gather", [f"{name}.shape", first], [f"{name}.pictures"], axis=0),
            helper.make_node("Concat", [f"{name}.pictures", rest], [node.input[3]], axis=0),
        ]

    def _constant(self, name: str, sizes: List[int]) -> str:
        return self._network.set_constant(name, np.array(sizes, np.int64))


def _refused(reason: str) -> ModelError:
    return ModelError(f"the model's batch is fixed at 1 and cannot be opened: {reason}", hint=HINT)
