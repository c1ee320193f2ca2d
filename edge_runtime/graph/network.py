"""An ONNX graph that knows which node writes and reads each tensor, and the edits that passes share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Collection, Dict, List, Mapping, Optional, Set

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.graph import kinds
from edge_runtime.graph.constants import constants_to_initializers
from edge_runtime.graph.subgraphs import inner_graphs, outer_names

if TYPE_CHECKING:
    import onnx

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
DOMAINS = ("", "ai.onnx")


class Network:
    """A model that is edited in place.

    Attributes:
        model: the content of the ONNX file.
        constants: initializers by name, as arrays. Change them with `set_constant`.
        sizes: shapes of tensors that a run has shown, where they cannot be told from the graph.
        was: type of the network before it became float32, such as "float16"; "" if it was float32.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        """Raises ModelError for a model whose weights are still in other files."""
        from onnx import numpy_helper

        self.model, self.was = model, ""
        self.sizes: Dict[str, kinds.Shape] = {}
        constants_to_initializers(model)
        apart = next((tensor.name for tensor in model.graph.initializer if tensor.external_data), None)
        if apart is not None:
            raise ModelError(f"the weights of {apart} are in another file", hint="read the model with all its files")
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
        copy = Network(model)
        copy.sizes, copy.was = self.sizes, self.was
        return copy

    def wire(self) -> None:
        """Finds again which node writes and reads each tensor; to be called after an edit."""
        self._producer: Dict[str, onnx.NodeProto] = {}
        self._consumers: Dict[str, List[onnx.NodeProto]] = {}
        self._floats: Optional[Set[str]] = None
        self._types: Optional[Dict[str, int]] = None
        for node in self.model.graph.node:
            for name in filter(None, node.output):
                self._producer[name] = node
            for name in self.reads(node):
                self._consumers.setdefault(name, []).append(node)

    def reads(self, node: onnx.NodeProto) -> List[str]:
        """Returns the names that a node reads: its inputs, and what the graphs inside it read from outside."""
        return [*filter(None, node.input), *outer_names(node)]

    def learn(self, seen: Mapping[str, NDArray[np.generic]]) -> None:
        """Keeps the types and shapes of tensors that a run has given, of any shape, by name."""
        from onnx import helper

        for name, value in seen.items():
            self.sizes[name] = value.shape
            if name not in self.types:  # without the shape, which may be another for another picture
                kind = helper.np_dtype_to_tensor_dtype(value.dtype)
                self.model.graph.value_info.append(helper.make_tensor_value_info(name, kind, None))
        self.wire()

    @property
    def types(self) -> Dict[str, int]:
        """The type of each tensor in ONNX's numbers, as far as it is known."""
        if self._types is None:
            self._types = kinds.element_types(kinds.inferred(self.model))
        return self._types

    @property
    def shapes(self) -> Dict[str, kinds.Shape]:
        """The shapes of tensors, as far as they are known and have no open size."""
        return {**self.sizes, **kinds.shapes(kinds.inferred(self.model))}

    @property
    def float_activations(self) -> Collection[str]:
        """Tensors of type float32 that depend on the picture. Where the type is not known, it counts as float32."""
        if self._floats is None:
            types = self.types
            moved = kinds.computed_from(self.inputs, ((node, self.reads(node)) for node in self.nodes))
            self._floats = {name for name in moved if types.get(name, kinds.FLOAT) == kinds.FLOAT}
        return self._floats

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
        used: Set[str] = {name for node in nodes for name in self.reads(node)} | set(self.outputs)
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
        place = self.weight_place(node)
        return None if place is None else node.input[place]

    def weight_place(self, node: onnx.NodeProto) -> Optional[int]:
        """Returns the place of that constant among the node's inputs: 1, or 0 for the left side of a MatMul."""
        if node.op_type not in WEIGHTED or node.domain not in DOMAINS or len(node.input) < 2:
            return None
        weights = (self.constants.get(name) for name in node.input[:2])
        known = [value is not None and value.dtype.kind == "f" and value.ndim > 1 for value in weights]
        left = node.op_type == "MatMul" and known == [True, False]
        return 0 if left else 1 if known == [False, True] else None

    def multiplied(self, node: onnx.NodeProto) -> str:
        """Returns the activation that a node multiplies by its weight. The node must have one."""
        return str(node.input[1 - (self.weight_place(node) or 0)])

    def leading_to_weights(self) -> Set[str]:
        """Returns the first outputs of the nodes that multiply by weights, or come before such a node.

        All other nodes only decode the result.
        """
        wanted: Set[str] = set()
        found: Set[str] = set()
        for node in reversed(self.nodes):
            if any(name in wanted for name in node.output) or self._learnt(node):
                found.add(node.output[0])
                wanted.update(name for name in self.reads(node) if name not in self.constants)
        return found

    def _learnt(self, node: onnx.NodeProto) -> bool:
        """Whether a node multiplies by learnt weights.

        The mean over the bins of a distribution is a Conv too, but it belongs to the decoding.
        """
        name = self.weight(node)
        if name is None:
            return any(each.op_type in WEIGHTED for graph in inner_graphs(node) for each in graph.node)
        weight = self.constants[name]
        bins = weight.reshape(-1)
        return not (weight.shape[0] == 1 and np.array_equal(bins, np.arange(len(bins))))
