"""Adds outputs to a network that measure its tensors, so that the tensors themselves need not leave the runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Collection, List, Tuple

from edge_runtime.graph.half import half
from edge_runtime.graph.network import Network

if TYPE_CHECKING:
    import onnx

OTHER = "float16/"  # before the names of the second network in `side_by_side`


def with_extremes(network: Network, names: Collection[str]) -> onnx.ModelProto:
    """Returns a copy whose outputs are the largest and the smallest value of each tensor: `NAME.most`, `NAME.least`."""
    model = network.copy().model
    _measure(model, [("ReduceMax", name, f"{name}.most") for name in names])
    return _measure(model, [("ReduceMin", name, f"{name}.least") for name in names])


def side_by_side(network: Network, names: Collection[str], keep: Collection[str]) -> onnx.ModelProto:
    """Returns the network and its emulated float16 form in one model.

    Its outputs, sums over all values, are the squares of each tensor, `NAME.power`, and of its error, `NAME.error`.

    Args:
        names: tensors to compare.
        keep: first outputs of the nodes that stay in float32.
    """
    from onnx import compose, helper

    model, other = network.copy().model, half(network.copy(), keep, emulated=True)
    made = {name for node in other.graph.node for name in node.output}
    other = compose.add_prefix(other, OTHER)  # inputs too: old versions of onnx rename them whatever is asked for
    model.graph.node.extend(helper.make_node("Identity", [name], [f"{OTHER}{name}"]) for name in network.inputs)
    model.graph.node.extend(other.graph.node)
    model.graph.initializer.extend(other.graph.initializer)
    pairs = [(name, f"{OTHER}{name}.half" if f"{name}.half" in made else f"{OTHER}{name}") for name in names]
    model.graph.node.extend(helper.make_node("Sub", [name, twin], [f"{name}.moved"]) for name, twin in pairs)
    _measure(model, [("ReduceSumSquare", name, f"{name}.power") for name in names])
    return _measure(model, [("ReduceSumSquare", f"{name}.moved", f"{name}.error") for name in names])


def _measure(model: onnx.ModelProto, wanted: List[Tuple[str, str, str]]) -> onnx.ModelProto:
    """Adds nodes (operator, tensor, its name), and makes their results outputs."""
    from onnx import helper

    for op, name, target in wanted:
        model.graph.node.append(helper.make_node(op, [name], [target], keepdims=0))
        model.graph.output.append(helper.make_tensor_value_info(target, 1, []))
    return model
