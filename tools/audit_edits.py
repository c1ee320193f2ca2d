"""Faults of network files: weights, scales and value ranges that are wrong. It shares no code with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def _convs(model: onnx.ModelProto) -> List[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "Conv"]


def _change(model: onnx.ModelProto, name: str, change: Any) -> None:
    tensor = next(each for each in model.graph.initializer if each.name == name)
    array = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(change(array)).astype(array.dtype), name))


def with_swapped_channels(source: str, target: Path) -> Path:
    """The first convolution reads the channels in the other order."""
    model = onnx.load(source)
    _change(model, _convs(model)[0].input[1], lambda array: array[:, ::-1])
    onnx.save(model, str(target))
    return target


def with_broken_weights(source: str, target: Path, number: int, factor: float) -> Path:
    """One layer's weights multiplied."""
    model = onnx.load(source)
    _change(model, _convs(model)[number].input[1], lambda array: array * factor)
    onnx.save(model, str(target))
    return target


def with_broken_scale(source: str, target: Path, number: int, factor: float) -> Path:
    """The scale of the activations that one layer of an INT8 file reads, multiplied: the range is too small."""
    model = onnx.load(source)
    made = {name: node for node in model.graph.node for name in node.output}
    quantised = made[made[_convs(model)[number].input[0]].input[0]]
    _change(model, quantised.input[1], lambda array: array * factor)
    onnx.save(model, str(target))
    return target


def with_broken_zero_point(source: str, target: Path, number: int, shift: int) -> Path:
    """Another zero point where the activations that one layer of an INT8 file reads become numbers again."""
    model = onnx.load(source)
    made = {name: node for node in model.graph.node for name in node.output}
    back = made[_convs(model)[number].input[0]]
    old = next(each for each in model.graph.initializer if each.name == back.input[2])
    array = numpy_helper.to_array(old)
    moved = np.clip(array.astype(np.int64) + shift, *_limits(array)).astype(array.dtype)
    model.graph.initializer.append(numpy_helper.from_array(moved, "moved_zero_point"))
    back.input[2] = "moved_zero_point"
    onnx.save(model, str(target))
    return target


def _limits(array: Any) -> Any:
    limits = np.iinfo(array.dtype)
    return limits.min, limits.max


def with_weights_per_tensor(source: str, target: Path) -> Path:
    """The weights of an INT8 file with one scale for a whole tensor, which is the largest of its channels."""
    model = onnx.load(source)
    made = {name: node for node in model.graph.node for name in node.output}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for conv in _convs(model):
        back = made.get(conv.input[1])
        if back is None or back.op_type != "DequantizeLinear":
            continue
        scale = numpy_helper.to_array(tensors[back.input[1]])
        shape = (-1,) + (1,) * (len(tensors[back.input[0]].dims) - 1)
        factor = (scale / scale.max()).reshape(shape)
        _change(model, back.input[0], lambda array, factor=factor: np.rint(array * factor))
        _change(model, back.input[1], lambda array: np.full_like(array, array.max()))
    onnx.save(model, str(target))
    return target


def with_large_values(source: str, target: Path, number: int, factor: float = 1e6) -> Path:
    """The same function in float32: one layer's result multiplied, and divided again behind it."""
    model = onnx.load(source)
    conv = _convs(model)[number]
    name, large = conv.output[0], conv.output[0] + "_large"
    for place in (1, 2)[: len(conv.input) - 1]:
        _change(model, conv.input[place], lambda array: array * np.float32(factor))
    conv.output[0] = large
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1 / factor), "small"))
    at = next(k for k, node in enumerate(model.graph.node) if large in node.output)
    model.graph.node.insert(at + 1, helper.make_node("Mul", [large, "small"], [name]))
    onnx.save(model, str(target))
    return target


def in_half(source: str, target: Path) -> Path:
    """The network in float16 between Casts at its input and its outputs, without any care for its range."""
    model = onnx.load(source)
    kept = {name for node in model.graph.node if node.op_type == "Resize" for name in node.input[1:]}
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in kept:
            with np.errstate(over="ignore"):
                half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "value" and attribute.t.data_type == TensorProto.FLOAT and node.output[0] not in kept:
                attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t).astype(np.float16)))
    _cast_ends(model)
    onnx.save(model, str(target))
    return target


def _cast_ends(model: onnx.ModelProto) -> None:
    (given, *_), ends = [v.name for v in model.graph.input], [v.name for v in model.graph.output]
    for node in model.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = f"{name}_half" if name in (given, *ends) else name
    model.graph.node.insert(0, helper.make_node("Cast", [given], [f"{given}_half"], to=TensorProto.FLOAT16))
    model.graph.node.extend(helper.make_node("Cast", [f"{n}_half"], [n], to=TensorProto.FLOAT) for n in ends)
    del model.graph.value_info[:]
