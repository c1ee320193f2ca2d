"""Weights of a table by parameter name: makes random ones, folds them, and reads them from an exported file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Mapping, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.zoo.layers import Architecture, Layer

if TYPE_CHECKING:
    import onnx

Weights = Dict[str, NDArray[np.float32]]
BN_EPSILON = 1e-5
BN_PARTS = ("bn.weight", "bn.bias", "bn.mean", "bn.var")


def random(architecture: Architecture, seed: int = 0) -> Weights:
    """Returns random float32 weights.

    Convolutions are He-normal (He et al. 2015), batch normalisation changes nothing, biases are zero.
    """
    generator = np.random.default_rng(seed)
    weights: Weights = {}
    shapes = architecture.weight_shapes()
    for layer in architecture.layers:
        if layer.op != "conv":
            continue
        shape = shapes[f"{layer.name}.weight"]
        scale = np.sqrt(2.0 / np.prod(shape[1:]))
        weights[f"{layer.name}.weight"] = (generator.standard_normal(shape) * scale).astype(np.float32)
        if layer.bias:
            weights[f"{layer.name}.bias"] = np.zeros(layer.channels, np.float32)
        if layer.bn:
            weights.update(identity_bn(layer))
    return weights


def identity_bn(layer: Layer) -> Weights:
    """Returns batch normalisation parameters, each (channels,) float32, that do not change the layer's values."""
    zero, one = np.zeros(layer.channels, np.float32), np.full(layer.channels, 1.0, np.float32)
    values = (one, zero, zero, one - np.float32(BN_EPSILON))
    return {f"{layer.name}.{part}": value.copy() for part, value in zip(BN_PARTS, values)}


def own(layer: Layer, weights: Mapping[str, NDArray[np.float32]]) -> Tuple[NDArray[np.float32], ...]:
    """Returns (weight,) or (weight, bias) of a conv itself, without its batch normalisation.

    Shapes are (out, in / groups, k, k) and (out,), float32.
    """
    return tuple(weights[f"{layer.name}.{part}"] for part in ("weight", "bias")[: 1 + layer.bias])


def fold(layer: Layer, weights: Mapping[str, NDArray[np.float32]]) -> Tuple[NDArray[np.float32], ...]:
    """Returns (weight,) or (weight, bias) of a conv with its batch normalisation folded in.

    It computes in float64 and rounds the result to float32.
    """
    parameters = own(layer, weights)
    if not layer.bn:
        return parameters
    weight, bias = parameters[0], parameters[1].astype(np.float64) if layer.bias else np.zeros(layer.channels)
    gamma, beta, mean, var = (weights[f"{layer.name}.{part}"].astype(np.float64) for part in BN_PARTS)
    scale = gamma / np.sqrt(var + BN_EPSILON)
    return (weight * scale[:, None, None, None]).astype(np.float32), (beta + (bias - mean) * scale).astype(np.float32)


def from_onnx(model: onnx.ModelProto, architecture: Architecture) -> Weights:
    """Returns the weights of a file that `export.to_onnx` wrote.

    A folded batch normalisation comes back as one that only adds a shift.

    Raises:
        ModelError: the file is not of this architecture.
    """
    from onnx import numpy_helper

    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    weights: Weights = {}
    for layer in architecture.layers:
        if layer.op != "conv":
            continue
        kept = f"{layer.name}.bn.mean" in stored
        parts = ["weight"] + ["bias"] * (layer.bias or (layer.bn and not kept)) + list(BN_PARTS) * kept
        if layer.bn and not kept:
            weights.update(identity_bn(layer))
            weights.update({f"{layer.name}.bias": np.zeros(layer.channels, np.float32)} if layer.bias else {})
        for part in parts:
            name = f"{layer.name}.{part}"
            if name not in stored:
                raise ModelError(f"the file has no {name}", hint=f"it is not an exported {architecture.name}")
            folded = part == "bias" and layer.bn and not kept
            weights[f"{layer.name}.bn.bias" if folded else name] = stored[name].astype(np.float32)
    shapes = architecture.weight_shapes()
    for name in weights.keys() & shapes.keys():
        if weights[name].shape != shapes[name]:
            raise ModelError(
                f"{name} is {weights[name].shape} in the file, {shapes[name]} in {architecture.name}",
                hint="give the weights of this architecture, preset and number of classes",
            )
    return weights
