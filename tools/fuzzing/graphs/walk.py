"""Goes through a network node by node, with a say on what each node reads and writes."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Set

import numpy as np
import onnx
from onnx import numpy_helper

from fuzzing.graphs import evaluate

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
Values = Dict[str, np.ndarray]


def array_of(tensor: onnx.TensorProto) -> np.ndarray:
    """A constant; numpy has no bfloat16, so such a one is float32."""
    value = numpy_helper.to_array(tensor)
    return value.astype(np.float32) if tensor.data_type == onnx.TensorProto.BFLOAT16 else value


class Walk:
    """A network for one picture. Override what it does with activations and weights.

    Attributes:
        values: every tensor that was computed.
        constant: names of the tensors that do not depend on the picture; shapes count among them.
        weighted: the nodes that multiply an activation by a constant.
    """

    def __init__(self, model: onnx.ModelProto, others: Optional[Mapping[str, np.ndarray]] = None) -> None:
        self.model = model
        self.opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        self.values: Values = {tensor.name: array_of(tensor) for tensor in model.graph.initializer}
        self.values.update(others or {})
        self.constant: Set[str] = set(self.values)
        self.weighted: List[onnx.NodeProto] = []

    def run(self, feed: np.ndarray) -> Values:
        """The outputs for one picture."""
        given = next(value.name for value in self.model.graph.input if value.name not in self.constant)
        self.values[given] = self.activation(given, feed)
        for node in self.model.graph.node:
            self._node(node)
        return {value.name: self.values[value.name] for value in self.model.graph.output}

    def activation(self, name: str, value: np.ndarray) -> np.ndarray:
        """What later nodes read of an activation."""
        return value

    def weight(self, node: onnx.NodeProto, place: int, value: np.ndarray) -> np.ndarray:
        """What a node multiplies by."""
        return value

    def compute(self, node: onnx.NodeProto, values: Mapping[str, np.ndarray]) -> Values:
        """A node's outputs."""
        return evaluate.compute(node, values, self.opset)

    def _node(self, node: onnx.NodeProto) -> None:
        read = evaluate.outer_names(node)
        if node.op_type == "If" and node.input[0] in self.constant:
            self._branch(node)
            return
        fixed = node.op_type == "Shape" or all(name in self.constant for name in read)
        values: Mapping[str, np.ndarray] = self.values
        if node.op_type in WEIGHTED and not fixed:
            values = self._weigh(node)
        for name, value in self.compute(node, values).items():
            self._note(name, value, fixed)

    def _note(self, name: str, value: np.ndarray, fixed: bool) -> None:
        if fixed:
            self.constant.add(name)
        self.values[name] = value if fixed or value.dtype.kind != "f" else self.activation(name, value)

    def _weigh(self, node: onnx.NodeProto) -> Values:
        changed = {name: self.values[name] for name in node.input if name}
        for place, name in enumerate(node.input[:2]):
            if name in self.constant:
                self.weighted.append(node)
                changed[name] = self.weight(node, place, self.values[name])
        return changed

    def _branch(self, node: onnx.NodeProto) -> None:
        """An If whose condition is known is the branch that it takes."""
        taken = "then_branch" if bool(self.values[node.input[0]]) else "else_branch"
        graph = next(a.g for a in node.attribute if a.name == taken)
        for tensor in graph.initializer:
            self._note(tensor.name, array_of(tensor), True)
        for inner in graph.node:
            self._node(inner)
        for name, value in zip(node.output, graph.output):
            self._note(name, self.values[value.name], value.name in self.constant)
