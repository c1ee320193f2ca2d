"""Turns a table of layers into ONNX, opset 17. The metadata holds all that a Detector needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Set

import numpy as np
from numpy.typing import NDArray

from edge_runtime.model.spec import METADATA_KEY
from edge_runtime.zoo.layers import IMAGE, Architecture, Layer
from edge_runtime.zoo.weights import BN_EPSILON, BN_PARTS, fold, own

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 17, 8
SIXTH = 1 / 6
SIMPLE = {"add": "Add", "mul": "Mul", "global_pool": "GlobalAveragePool"}


def to_onnx(
    architecture: Architecture,
    weights: Mapping[str, NDArray[np.float32]],
    *,
    keep_bn: bool = False,
    metadata: Optional[Mapping[str, str]] = None,
) -> onnx.ModelProto:
    """Returns the network as an ONNX model with raw heads. Initializers have the parameter names of the table.

    Args:
        weights: every parameter of the table, float32, (out, in, kh, kw) or (channels,); see `zoo.weights`.
        keep_bn: keep batch normalisation as nodes instead of folding it into the convolutions.
        metadata: entries besides the ModelSpec, such as the training recipe and the licence.
    """
    from onnx import TensorProto, checker, helper

    graph = _Graph(weights, keep_bn)
    for layer in architecture.layers:
        graph.add(layer)
    sizes = architecture.sizes()
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *sizes[name]])
        for name in (IMAGE, *architecture.outputs)
    ]
    body = helper.make_graph(graph.nodes, architecture.name, values[:1], values[1:], graph.tensors)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name = "edge-runtime"
    helper.set_model_props(model, {METADATA_KEY: architecture.spec.to_json(), **(metadata or {})})
    checker.check_model(model)
    return model


class _Graph:
    """Nodes and initializers of the layers added so far."""

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], keep_bn: bool) -> None:
        self.nodes: List[Any] = []
        self.tensors: List[Any] = []
        self._weights, self._keep_bn = weights, keep_bn
        self._shared: Set[str] = set()

    def add(self, layer: Layer) -> None:
        """Adds a layer. The value with the layer's name is the one after its activation."""
        result = layer.name if layer.act == "linear" else f"{layer.name}.linear"
        if layer.op == "conv":
            self._conv(layer, result)
        elif layer.op == "concat":
            self._node("Concat", layer.inputs, result, axis=1)
        elif layer.op == "maxpool":
            left, top, right, bottom = layer.pads
            kernel, strides = [layer.kernel] * 2, [layer.stride] * 2
            self._node(
                "MaxPool", layer.inputs, result, kernel_shape=kernel, strides=strides, pads=[top, left, bottom, right]
            )
        elif layer.op == "upsample":
            # every backend takes this form for plain doubling of pixels
            scales = self._constant("upsample.scales", np.array([1, 1, 2, 2], np.float32))
            modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            self._node("Resize", [*layer.inputs, "", scales], result, **modes)
        elif layer.op == "slice":
            self._slice(layer, result)
        elif layer.op == "rows":
            self._rows(layer, result)
        else:
            self._node(SIMPLE[layer.op], layer.inputs, result)
        self._activate(layer, result)

    def _conv(self, layer: Layer, result: str) -> None:
        kept = self._keep_bn and layer.bn
        parameters = list(own(layer, self._weights) if kept else fold(layer, self._weights))
        names = [self._constant(f"{layer.name}.{part}", p) for part, p in zip(("weight", "bias"), parameters)]
        out = f"{layer.name}.conv" if kept else result
        around = [layer.kernel // 2] * 4
        kernel, strides = [layer.kernel] * 2, [layer.stride] * 2
        inputs = [*layer.inputs, *names]
        self._node("Conv", inputs, out, kernel_shape=kernel, strides=strides, pads=around, group=layer.groups)
        if kept:
            parts = [f"{layer.name}.{part}" for part in BN_PARTS]
            scale = [self._constant(part, self._weights[part]) for part in parts]
            self._node("BatchNormalization", [out, *scale], result, epsilon=BN_EPSILON)

    def _slice(self, layer: Layer, result: str) -> None:
        limits = [("starts", layer.start), ("ends", layer.start + layer.channels), ("axes", 1)]
        names = [self._constant(f"{layer.name}.{name}", np.array([value], np.int64)) for name, value in limits]
        self._node("Slice", [*layer.inputs, *names], result)

    def _rows(self, layer: Layer, result: str) -> None:
        shape, parts = self._constant(f"{layer.name}.shape", np.array([0, -1, layer.channels], np.int64)), []
        for source in layer.inputs:
            self._node("Transpose", [source], f"{source}.last", perm=[0, 2, 3, 1])
            self._node("Reshape", [f"{source}.last", shape], f"{source}.rows")
            parts.append(f"{source}.rows")
        self._node("Concat", parts, result, axis=1)

    def _activate(self, layer: Layer, value: str) -> None:
        if layer.act == "relu6":
            limits = [self._constant(f"relu6.{limit}", np.array(limit, np.float32)) for limit in (0, 6)]
            self._node("Clip", [value, *limits], layer.name)
        elif layer.act == "leaky":
            self._node("LeakyRelu", [value], layer.name, alpha=0.1)
        elif layer.act == "silu":
            self._node("Sigmoid", [value], f"{layer.name}.gate")
            self._node("Mul", [value, f"{layer.name}.gate"], layer.name)
        elif layer.act == "hardswish":
            self._node("HardSigmoid", [value], f"{layer.name}.gate", alpha=SIXTH, beta=0.5)
            self._node("Mul", [value, f"{layer.name}.gate"], layer.name)
        elif layer.act == "hardsigmoid":
            self._node("HardSigmoid", [value], layer.name, alpha=SIXTH, beta=0.5)
        elif layer.act == "mish":
            self._node("Softplus", [value], f"{layer.name}.softplus")
            self._node("Tanh", [f"{layer.name}.softplus"], f"{layer.name}.gate")
            self._node("Mul", [value, f"{layer.name}.gate"], layer.name)
        elif layer.act != "linear":
            self._node({"relu": "Relu", "sigmoid": "Sigmoid"}[layer.act], [value], layer.name)

    def _node(self, op: str, inputs: Any, output: str, **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(op, list(inputs), [output], name=output, **attributes))

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        if name not in self._shared:
            self._shared.add(name)
            self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name
