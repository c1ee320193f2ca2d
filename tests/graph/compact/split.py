"""The rewrite of the paper, as an oracle: each run of live filters is a convolution, each run of dead ones a constant.

It is exact and slow. Nothing in the package uses it.
"""

from __future__ import annotations

from itertools import groupby
from typing import List

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edge_runtime.graph.network import Network


def split(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which each convolution without groups that has dead filters is split; all shapes must be known."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    network = Network(copy)
    shapes, nodes = network.shapes, []
    for node in network.nodes:
        weight = network.constants.get(node.input[1]) if node.op_type == "Conv" else None
        plain = weight is not None and all(a.name != "group" or a.i == 1 for a in node.attribute)
        dead = ~weight.reshape(len(weight), -1).any(axis=1) if plain else np.zeros(1, bool)
        nodes += _parts(network, node, dead, shapes[node.output[0]]) if dead.any() else [node]
    network.replace_nodes(nodes)
    return copy


def _parts(network: Network, node: onnx.NodeProto, dead: np.ndarray, shape) -> List[onnx.NodeProto]:
    weight = network.constants[node.input[1]]
    bias = network.constants[node.input[2]] if len(node.input) > 2 else np.zeros(len(weight), np.float32)
    made, names = [], []
    for alike, group in groupby(range(len(weight)), lambda number: bool(dead[number])):
        run = list(group)
        names.append(f"{node.output[0]}.from{run[0]}")
        if alike:
            value = np.broadcast_to(bias[run].reshape(-1, *[1] * (len(shape) - 2)), (len(run), *shape[2:]))
            network.set_constant(names[-1], np.broadcast_to(value, (shape[0], *value.shape)).copy())
            continue
        part = onnx.NodeProto()
        part.CopyFrom(node)
        part.name, part.output[0] = names[-1], names[-1]
        del part.input[1:]
        for kind, value in (("w", weight[run]), ("b", bias[run])):
            part.input.append(network.set_constant(f"{names[-1]}.{kind}", value))
        made.append(part)
    return [*made, helper.make_node("Concat", names, [node.output[0]], axis=1)]


def macs(model: onnx.ModelProto) -> int:
    """Multiply-adds of the convolutions, counted for themselves."""
    inferred = onnx.shape_inference.infer_shapes(model)
    known = {tensor.name: numpy_helper.to_array(tensor).shape for tensor in model.graph.initializer}
    values = {value.name: value for value in [*inferred.graph.value_info, *inferred.graph.output]}
    planes = {name: [d.dim_value for d in v.type.tensor_type.shape.dim][2:] for name, v in values.items()}
    convs = (node for node in model.graph.node if node.op_type == "Conv")
    return sum(int(np.prod(known[node.input[1]]) * np.prod(planes[node.output[0]])) for node in convs)
