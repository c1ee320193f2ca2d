"""An ONNX graph that knows which node writes and reads each tensor, and the edits that passes share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Optional, Set

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")


class Network:
    """A model that is edited in place.

    Attributes:
        model: the content of the ONNX file.
        constants: initializers by name, as arrays. Change them with `set_constant`.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import numpy_helper

        self.model = model
        _constants_to_initializers(model)
        self.constants: Dict[str, NDArray[np.generic]] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        self.wire()

    @property
    def nodes(self) -> List[onnx.NodeProto]:
        """The nodes, in an order in which they can be computed."""
        return list(self.model.graph.node)

    @property
    def inputs(self) -> List[str]:
        """Names of the network's inputs, without the initializers."""
        return [value.name for value in self.model.graph.input if value.name not in self.constants]

    @property
    def outputs(self) -> List[str]:
        """Names of the network's outputs."""
        return [value.name for value in self.model.graph.output]

    def copy(self) -> Network:
        """Returns a separate network that can be edited."""
        model = type(self.model)()
        model.CopyFrom(self.model)
        return Network(model)

    def wire(self) -> None:
        """Finds again which node writes and reads each tensor; to be called after an edit."""
        self._producer: Dict[str, onnx.NodeProto] = {}
        self._consumers: Dict[str, List[onnx.NodeProto]] = {}
        for node in self.model.graph.node:
            for name in node.output:
                self._producer[name] = node
            for name in node.input:
                self._consumers.setdefault(name, []).append(node)

    def producer(self, name: str) -> Optional[onnx.NodeProto]:
        """Returns the node that writes a tensor; None for inputs and constants."""
        return self._producer.get(name)

    def consumers(self, name: str) -> List[onnx.NodeProto]:
        """Returns the nodes that read a tensor."""
        return self._consumers.get(name, [])

    def set_constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Adds or replaces an initializer of any shape, and returns its name."""
        from onnx import numpy_helper

        tensor = numpy_helper.from_array(np.asarray(value, order="C"), name)
        if name in self.constants:
            kept = next(t for t in self.model.graph.initializer if t.name == name)
            kept.CopyFrom(tensor)
        else:
            self.model.graph.initializer.append(tensor)
        self.constants[name] = np.asarray(value)
        return name

    def replace_nodes(self, nodes: List[onnx.NodeProto]) -> None:
        """Replaces all nodes by these, in this order, and removes the constants that no node reads."""
        del self.model.graph.node[:]
        self.model.graph.node.extend(nodes)
        used: Set[str] = {name for node in nodes for name in node.input} | set(self.outputs)
        kept = [tensor for tensor in self.model.graph.initializer if tensor.name in used]
        gone = set(self.constants) - used
        del self.model.graph.initializer[:]
        self.model.graph.initializer.extend(kept)
        inputs = [value for value in self.model.graph.input if value.name not in gone]
        del self.model.graph.input[:]
        self.model.graph.input.extend(inputs)
        self.constants = {name: value for name, value in self.constants.items() if name in used}
        self.wire()

    def weight(self, node: onnx.NodeProto) -> Optional[str]:
        """Returns the constant that a Conv, ConvTranspose, Gemm or MatMul multiplies by, as a name; None if none."""
        weighted = node.op_type in WEIGHTED and len(node.input) > 1 and node.input[1] in self.constants
        return node.input[1] if weighted else None

    def leading_to_weights(self) -> Set[str]:
        """Returns the first outputs of the nodes that multiply by weights, or come before such a node.

        All other nodes only decode the result.
        """
        wanted: Set[str] = set()
        found: Set[str] = set()
        for node in reversed(self.nodes):
            if any(name in wanted for name in node.output) or self._learnt(node):
                found.add(node.output[0])
                wanted.update(name for name in node.input if name not in self.constants)
        return found

    def _learnt(self, node: onnx.NodeProto) -> bool:
        """Whether a node multiplies by learnt weights.

        The mean over the bins of a distribution is a Conv too, but it belongs to the decoding.
        """
        name = self.weight(node)
        if name is None:
            return False
        weight = self.constants[name]
        bins = weight.reshape(-1)
        return not (weight.shape[0] == 1 and np.array_equal(bins, np.arange(len(bins))))


def _constants_to_initializers(model: onnx.ModelProto) -> None:
    """Turns Constant nodes into initializers, so that all constants have one form."""
    kept = []
    for node in model.graph.node:
        value = next((a for a in node.attribute if a.name == "value"), None) if node.op_type == "Constant" else None
        if value is None:
            kept.append(node)
        else:
            value.t.name = node.output[0]
            model.graph.initializer.append(value.t)
    del model.graph.node[:]
    model.graph.node.extend(kept)
