"""Prepares a network for quantising: checks its state, and gives it the one form that the other passes expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Tuple

import numpy as np

from edge_runtime.errors import ModelError
from edge_runtime.graph import opsets
from edge_runtime.graph.branches import settle_branches
from edge_runtime.graph.channels import axis_of, spread
from edge_runtime.graph.float32 import to_float32
from edge_runtime.graph.folding import fold_constants
from edge_runtime.graph.inputs import plain_input
from edge_runtime.graph.network import Network
from edge_runtime.graph.tidy import plain_products, tidy
from edge_runtime.model import onnx_file

if TYPE_CHECKING:
    import onnx

OPSET = 13  # the first opset with scales per channel
OPERATORS = "it runs as it is; to calibrate, give the float original; to build a plan, export it in QDQ format"
DYNAMIC = ("ConvInteger", "DynamicQuantizeLSTM", "DynamicQuantizeLinear", "DynamicQuantizeMatMul", "MatMulInteger",
           "MatMulIntegerToFloat")  # fmt: skip
QUANTISED = ("QAttention", "QGemm", "QLinear", "QOrdered")  # how the names of quantised operators begin


def state(model: onnx.ModelProto) -> str:
    """Returns `float`, or `quantised` if every convolution reads quantised weights, and activations are rounded.

    Raises:
        ModelError: the model is quantised in a form that cannot be calibrated or built.
    """
    kinds = {node.op_type for node in model.graph.node}
    dynamic = sorted(kinds & set(DYNAMIC))
    if dynamic:
        raise ModelError(f"the model is quantised dynamically ({dynamic[0]})", hint="calibrate its float original")
    operators = sorted(kind for kind in kinds if kind.startswith(QUANTISED))
    if operators:
        raise ModelError(f"the model is INT8 already, made of quantised operators ({operators[0]})", hint=OPERATORS)
    if not _rounds(model):
        return "float"
    dequantised = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    plain = [node for node in convs if node.input[1] not in dequantised]
    if plain and len(plain) < len(convs):
        name = plain[0].name or plain[0].output[0]
        fact = (
            f"the model is partly quantised: {len(plain)} of {len(convs)} convolutions are float, the first is {name}"
        )
        raise ModelError(fact, hint="calibrate its float original, with --keep-fp for layers that shall stay float")
    return "quantised" if not plain else "float"


def _rounds(model: onnx.ModelProto) -> bool:
    """Whether the network rounds activations. Weights alone may be stored in 8 bits: they are read as floats."""
    known = {tensor.name for tensor in model.graph.initializer}
    known.update(node.output[0] for node in model.graph.node if node.op_type == "Constant")
    return any(node.op_type == "QuantizeLinear" and node.input[0] not in known for node in model.graph.node)


def prepare(model: onnx.ModelProto) -> Network:
    """Returns the network in the form that the passes expect.

    It is float32, in an opset with scales per channel. Its constants are computed, its nodes sorted, and batch
    normalisation is folded into convolutions.

    Raises:
        ModelError: the opset cannot be converted, or the network has functions that cannot be written out.
    """
    model = opsets.inlined(model)
    if any(node.op_type == "If" for node in model.graph.node):  # an old opset inside a branch cannot be raised
        settle_branches(Network(model))
    model = opsets.raised(model, OPSET)
    kind = to_float32(model)
    del model.graph.value_info[:]  # of other types, or of other sizes than the input will have
    network = Network(model)
    network.was = kind
    simplify(network)
    if settle_branches(network):
        simplify(network)
    return network


def simplify(network: Network) -> None:
    """Gives a float32 network the one form, in place."""
    tidy(network)
    fold_constants(network)
    plain_products(network)
    drop_empty_parameters(network)
    fold_batch_norm(network)


def float_network(file: onnx.ModelProto, input_wh: Tuple[int, int]) -> Network:
    """Returns the network, prepared for quantising.

    Args:
        input_wh: (width, height) in pixels; the input is set to this size. A batch that the file fixes stays.
    """
    plain_input(file, input_wh, max([1, *onnx_file.batches_of(file)[:1]]))
    network = prepare(file)
    width, height = input_wh
    value = next(value for value in network.model.graph.input if value.name == network.inputs[0])
    dims = value.type.tensor_type.shape.dim
    for dim, size in zip(dims, (max(1, dims[0].dim_value), 3, height, width)):
        dim.dim_value = size
    network.wire()
    if settle_branches(network, sized=True):
        simplify(network)
    return network


def drop_empty_parameters(network: Network) -> None:
    """Removes inputs of Resize that are empty arrays. ONNX Runtime fails on them when it moves transpositions."""
    for node in network.nodes:
        if node.op_type == "Resize":
            for place, name in enumerate(node.input):
                if name in network.constants and not network.constants[name].size:
                    node.input[place] = ""


def fold_batch_norm(network: Network) -> int:
    """Folds every BatchNormalization that is the only reader of an operator with weights; returns how many."""
    nodes, gone = network.nodes, 0
    kept: List[onnx.NodeProto] = []
    for node in nodes:
        conv = network.producer(node.input[0]) if node.op_type == "BatchNormalization" else None
        if conv is None or not _foldable(network, conv, node):
            kept.append(node)
            continue
        _fold(network, conv, node)
        gone += 1
    network.replace_nodes(kept)
    return gone


def _foldable(network: Network, conv: onnx.NodeProto, bn: onnx.NodeProto) -> bool:
    if conv.op_type == "MatMul" or network.weight_place(conv) != 1 or _trains(bn) or _shares_scales(conv):
        return False
    alone = len(network.consumers(conv.output[0])) == 1 and conv.output[0] not in network.outputs
    bias = conv.input[2] if len(conv.input) > 2 else ""
    known = all(name in network.constants for name in (*bn.input[1:], *filter(None, [bias])))
    shared = len(network.consumers(conv.input[1])) > 1 or conv.input[1] in network.outputs
    return alone and known and not shared


def _shares_scales(conv: onnx.NodeProto) -> bool:
    """Whether channels share the scale of their weights. Those of a grouped ConvTranspose do, with other groups."""
    return conv.op_type == "ConvTranspose" and any(a.name == "group" and a.i > 1 for a in conv.attribute)


def _trains(bn: onnx.NodeProto) -> bool:
    """Whether it computes the mean and variance of each batch, or gives them out."""
    return any(a.name == "training_mode" and a.i for a in bn.attribute) or any(bn.output[1:])


def _fold(network: Network, conv: onnx.NodeProto, bn: onnx.NodeProto) -> None:
    gamma, beta, mean, var = (network.constants[name].astype(np.float64) for name in bn.input[1:])
    epsilon = next((a.f for a in bn.attribute if a.name == "epsilon"), 1e-5)
    scale = gamma / np.sqrt(var + epsilon)
    weight = network.constants[conv.input[1]].astype(np.float64)
    biased = len(conv.input) > 2 and conv.input[2]
    bias = network.constants[conv.input[2]].astype(np.float64) if biased else 0.0
    wide = spread(scale, axis_of(network, conv), weight.ndim)
    network.set_constant(conv.input[1], (weight * wide).astype(np.float32))
    name = network.set_constant(f"{conv.output[0]}.folded", ((bias - mean) * scale + beta).astype(np.float32))
    inputs = [conv.input[0], conv.input[1], name]
    del conv.input[:]
    conv.input.extend(inputs)
    conv.output[0] = bn.output[0]
