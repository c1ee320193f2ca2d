"""Counts the layers of any ONNX file, quantised or not, by the rules of `zoo/stats.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.errors import ModelError
from edge_runtime.graph.counts import Stats

if TYPE_CHECKING:
    import onnx

Shapes = Dict[str, Tuple[int, ...]]
# Positions of weight and bias among the inputs of operators that multiply by a weight.
WEIGHTED = {"Conv": (1, 2), "ConvTranspose": (1, 2), "ConvInteger": (1, 9), "QLinearConv": (3, 8), "Gemm": (1, 2),
            "MatMul": (1, 9), "MatMulInteger": (1, 9), "QLinearMatMul": (3, 9)}  # fmt: skip


def onnx_layers(model: onnx.ModelProto, imgsz: Optional[int] = None) -> List[Stats]:
    """Returns the counts of every node that has parameters or operations, at batch 1.

    Args:
        imgsz: side of the input, if the file leaves it open.

    Raises:
        ModelError: the file leaves shapes open, so nothing can be counted.
    """
    from onnx import shape_inference

    if imgsz and not all(dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim):
        for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, imgsz, imgsz)):
            dim.dim_value = dim.dim_value or size
        for output in model.graph.output:  # its sizes may be those of another input
            output.type.tensor_type.ClearField("shape")
        del model.graph.value_info[:]
    shapes = _shapes(shape_inference.infer_shapes(model, data_prop=True))
    constants = _constants(model)
    counted = (_count(node, shapes, constants) for node in model.graph.node)
    return [stats for stats in counted if stats.parameters or stats.thop_macs]


def _shapes(model: onnx.ModelProto) -> Shapes:
    values = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    return {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in values}


def _constants(model: onnx.ModelProto) -> Shapes:
    """Returns the shapes of constants, and of constants that pass through a DequantizeLinear."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            shapes[node.output[0]] = tuple(attribute.t.dims)
        if node.op_type in ("DequantizeLinear", "QuantizeLinear", "Identity") and node.input[0] in shapes:
            shapes[node.output[0]] = shapes[node.input[0]]
    return shapes


def _count(node: onnx.NodeProto, shapes: Shapes, constants: Shapes) -> Stats:
    name = node.name or node.output[0]
    if node.op_type in WEIGHTED:
        return _weighted(name, node, shapes, constants)
    if node.op_type == "BatchNormalization":
        elements, gamma = _elements(shapes, node.output[0]), constants.get(node.input[1], (0,))
        return Stats(name, bn=2 * gamma[0], thop_macs=2 * elements)
    if node.op_type == "LeakyRelu":
        return Stats(name, thop_macs=_elements(shapes, node.output[0]))
    if node.op_type == "GlobalAveragePool":
        channels = _elements(shapes, node.output[0])
        return Stats(name, thop_macs=_elements(shapes, node.input[0]) + channels)
    return Stats(name)


def _weighted(name: str, node: onnx.NodeProto, shapes: Shapes, constants: Shapes) -> Stats:
    weight, bias = (node.input[place] if place < len(node.input) else "" for place in WEIGHTED[node.op_type])
    if weight not in constants:
        return Stats(name)  # a product of two activations
    kernel = constants[weight]
    elements = _elements(shapes, node.output[0])
    size = int(np.prod(kernel))
    if node.op_type == "ConvTranspose":
        macs = size * (_elements(shapes, node.input[0]) // kernel[0])
    else:
        out = kernel[0] if "Conv" in node.op_type else _features(node, kernel)
        macs = size * (elements // out)
    has_bias = bool(bias) and bias in constants
    biases = int(np.prod(constants[bias])) if has_bias else 0
    return Stats(name, size, biases, conv_macs=macs, thop_macs=macs + elements * has_bias)


def _features(node: onnx.NodeProto, kernel: Sequence[int]) -> int:
    """Returns the number of output features of a matrix product."""
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return kernel[0] if transposed else kernel[-1]


def _elements(shapes: Shapes, name: str) -> int:
    """Returns the number of values of a tensor for one image."""
    shape = shapes.get(name, (0,))
    if 0 in shape[1:] or len(shape) < 2:
        raise ModelError(f"the shape of {name} is open: {list(shape)}", hint="--imgsz N fixes the size of the input")
    return int(np.prod(shape[1:]))
