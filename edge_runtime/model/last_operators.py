"""Finds what a graph computes last before each output: Sigmoid, Softmax, Exp, TopK, a convolution without more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Mapping, Set, Tuple

if TYPE_CHECKING:
    import onnx

# Operators that only move, choose or convert values: what is before them in their first input is looked at.
MOVING = {
    *("Identity", "Cast", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Expand"),
    *("Gather", "GatherElements", "GatherND", "QuantizeLinear", "DequantizeLinear"),
}
MOST = 24  # operators of one output
MOST_STEPS = 2000  # of a walk


def last_operators(graph: onnx.GraphProto) -> Dict[str, Tuple[str, ...]]:
    """Returns the operators for each output, in the order of the channels that they make.

    Operators that only move values are passed. Where parts are joined (Concat), each part is followed. A bias after a
    layer belongs to the layer. Equal neighbours are one. A part that is an input of the network or a constant is left
    out.
    """
    makers = {name: node for node in graph.node for name in node.output if name}
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {name for name, node in makers.items() if node.op_type == "Constant"}
    return {value.name: _before(value.name, makers, constants) for value in graph.output}


def _before(name: str, makers: Mapping[str, onnx.NodeProto], constants: Set[str]) -> Tuple[str, ...]:
    found: List[str] = []
    rest = [name]
    for _ in range(MOST_STEPS):
        if not rest or len(found) == MOST:
            break
        node = makers.get(rest.pop())
        if node is None or node.op_type == "Constant":
            continue
        passed = _passed(node, constants)
        if passed:
            rest += reversed(passed)
        elif found[-1:] != [node.op_type]:
            found.append(node.op_type)
    return tuple(found)


def _passed(node: onnx.NodeProto, constants: Set[str]) -> List[str]:
    """The inputs to follow; none if the operator computes something."""
    inputs = list(node.input)
    if node.op_type == "Concat":
        return inputs
    if node.op_type in MOVING:
        return inputs[:1]
    computed = [name for name in inputs if name not in constants]
    return computed if node.op_type == "Add" and len(inputs) == 2 and len(computed) == 1 else []
