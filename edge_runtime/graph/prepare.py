"""Prepares a float network for quantising: checks its state, folds batch normalisation, raises the opset."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Tuple

import numpy as np

from edge_runtime.errors import ModelError
from edge_runtime.graph.inputs import plain_input
from edge_runtime.graph.network import Network

if TYPE_CHECKING:
    import onnx

OPSET = 13  # the first opset with scales per channel
DYNAMIC = ("ConvInteger", "MatMulInteger", "DynamicQuantizeLinear")


def state(model: onnx.ModelProto) -> str:
    """Returns `float`, or `quantised` if every convolution reads quantised weights.

    Raises:
        ModelError: the model is quantised in a form that cannot be calibrated or built.
    """
    kinds = {node.op_type for node in model.graph.node}
    dynamic = sorted(kinds & set(DYNAMIC))
    if dynamic:
        raise ModelError(f"the model is quantised dynamically ({dynamic[0]})", hint="calibrate its float original")
    operators = sorted(kind for kind in kinds if kind.startswith("QLinear") or kind == "QGemm")
    if operators:
        raise ModelError(f"the model is made of quantised operators ({operators[0]})", hint="export it in QDQ format")
    if not kinds & {"QuantizeLinear", "DequantizeLinear"}:
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


def prepare(model: onnx.ModelProto) -> Network:
    """Returns the network with batch normalisation folded into convolutions, in an opset with scales per channel.

    Raises:
        ModelError: the opset cannot be converted.
    """
    from onnx import version_converter

    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < OPSET:
        try:
            metadata = list(model.metadata_props)
            model = version_converter.convert_version(model, OPSET)
            del model.metadata_props[:]
            model.metadata_props.extend(metadata)
        except Exception as error:  # the converter raises RuntimeError and its own types
            raise ModelError(
                f"opset {opset} cannot be raised: {error}", hint=f"export with opset {OPSET} to 17"
            ) from error
    network = Network(model)
    drop_empty_parameters(network)
    fold_batch_norm(network)
    return network


def float_network(file: onnx.ModelProto, input_wh: Tuple[int, int]) -> Network:
    """Returns the network, prepared for quantising.

    Args:
        input_wh: (width, height) in pixels; the input is set to this size.
    """
    plain_input(file, input_wh)
    network = prepare(file)
    width, height = input_wh
    value = next(value for value in network.model.graph.input if value.name == network.inputs[0])
    for dim, size in zip(value.type.tensor_type.shape.dim, (1, 3, height, width)):
        dim.dim_value = size
    return network


def drop_empty_parameters(network: Network) -> None:
    """Removes inputs of Resize that are empty arrays. ONNX Runtime fails on them when it moves transpositions."""
    for node in network.nodes:
        if node.op_type == "Resize":
            for place, name in enumerate(node.input):
                if name in network.constants and not network.constants[name].size:
                    node.input[place] = ""


def fold_batch_norm(network: Network) -> int:
    """Folds every BatchNormalization that is the only reader of a convolution, and returns how many were folded."""
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
    alone = len(network.consumers(conv.output[0])) == 1 and conv.output[0] not in network.outputs
    known = all(name in network.constants for name in bn.input[1:])
    shared = len(network.consumers(conv.input[1])) > 1 if len(conv.input) > 1 else True
    return conv.op_type == "Conv" and alone and known and not shared and network.weight(conv) is not None


def _fold(network: Network, conv: onnx.NodeProto, bn: onnx.NodeProto) -> None:
    gamma, beta, mean, var = (network.constants[name].astype(np.float64) for name in bn.input[1:])
    epsilon = next((a.f for a in bn.attribute if a.name == "epsilon"), 1e-5)
    scale = gamma / np.sqrt(var + epsilon)
    weight = network.constants[conv.input[1]].astype(np.float64)
    bias = network.constants[conv.input[2]].astype(np.float64) if len(conv.input) > 2 else 0.0
    network.set_constant(conv.input[1], (weight * scale[:, None, None, None]).astype(np.float32))
    name = network.set_constant(f"{conv.output[0]}.folded", ((bias - mean) * scale + beta).astype(np.float32))
    inputs = [conv.input[0], conv.input[1], name]
    del conv.input[:]
    conv.input.extend(inputs)
    conv.output[0] = bn.output[0]
