"""Gives all roundings before convolutions one step, so that TensorRT-RTX compiles one kernel for many layers.

It compiles the step of an activation into the kernel, 134 kB for each layer. Here the activation is first multiplied
by a factor per channel, which is data and not code. The weights of the convolution are divided by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional

import numpy as np

from edge_runtime.graph.network import Network

if TYPE_CHECKING:
    import onnx


def share_step(network: Network) -> int:
    """Rewrites a network in TensorRT's INT8 form, in place. Returns how many activations now have the common step.

    Those that something else than convolutions reads keep their own step.
    """
    found = {node.output[0]: convs for node in network.nodes for convs in [_convs(network, node)] if convs}
    steps = {name: float(network.constants[_maker(network, name).input[1]]) for name in found}
    common = float(np.median(list(steps.values()))) if steps else 1.0
    nodes: List[onnx.NodeProto] = []
    for node in network.nodes:
        if node.output[0] in found:
            factor = float(np.float16(common / steps[node.output[0]]))
            nodes.append(_multiplied(network, node, found[node.output[0]], common, factor))
        nodes.append(node)
    network.replace_nodes(nodes)
    return len(found)


def _maker(network: Network, name: str) -> onnx.NodeProto:
    node = network.producer(name)
    assert node is not None
    return node


def _convs(network: Network, node: onnx.NodeProto) -> Optional[List[onnx.NodeProto]]:
    """The convolutions that read what a node rounds; None if others read it too, or their weights are not their own."""
    if node.op_type != "QuantizeLinear" or node.input[0] in network.constants:
        return None
    back = network.consumers(node.output[0])
    convs = network.consumers(back[0].output[0]) if len(back) == 1 else []
    fine = all(conv.op_type == "Conv" and conv.input[0] == back[0].output[0] and _own(network, conv) for conv in convs)
    return convs if convs and fine else None


def _own(network: Network, conv: onnx.NodeProto) -> bool:
    """Whether a convolution multiplies by float weights, rounded by two nodes, that nothing else reads."""
    last = network.producer(conv.input[1])
    first = network.producer(last.input[0]) if last is not None and last.op_type == "DequantizeLinear" else None
    if last is None or first is None or first.op_type != "QuantizeLinear":
        return False
    alone = [len(network.consumers(name)) == 1 for name in (conv.input[1], last.input[0], first.input[0])]
    return first.input[0] in network.constants and all(alone)


def _multiplied(
    network: Network, node: onnx.NodeProto, convs: List[onnx.NodeProto], common: float, factor: float
) -> onnx.NodeProto:
    """Gives one rounding the common step, and returns the multiplication before it."""
    from onnx import helper

    for conv in convs:
        first = _maker(network, _maker(network, conv.input[1]).input[0])
        for name in first.input[:2]:  # the weights and their steps
            network.set_constant(name, (network.constants[name].astype(np.float32) / factor).astype(np.float32))
    group = next((a.i for a in convs[0].attribute if a.name == "group"), 1)
    channels = network.constants[first.input[0]].shape[1] * group
    dims = [1, channels, *[1] * (network.constants[first.input[0]].ndim - 2)]
    vector = network.set_constant(f"{node.output[0]}.factor", np.full(dims, factor, np.float32))
    step = network.set_constant("common.step", np.array(common, np.float32))
    back = network.consumers(node.output[0])[0]
    product = helper.make_node("Mul", [node.input[0], vector], [f"{node.output[0]}.scaled"])
    node.input[0] = product.output[0]
    node.input[1] = back.input[1] = step
    return product
