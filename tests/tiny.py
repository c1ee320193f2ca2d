"""Tiny ONNX detectors for tests: a network that looks at its input and answers with given boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence, Union

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Dim = Union[int, str]


def write_onnx(
    path: Path,
    outputs: Mapping[str, np.ndarray],
    input_shape: Sequence[Dim] = (1, 3, 64, 64),
    metadata: Optional[Dict[str, str]] = None,
    dtype: int = TensorProto.FLOAT,
    image_dtype: int = 0,
) -> str:
    """Writes a network whose outputs are `outputs` plus 0 * mean(input), so that it really runs; returns the path."""
    batch_open = isinstance(input_shape[0], str)
    nodes = [helper.make_node("Cast", ["images"], ["cast"], to=dtype)] if image_dtype else []
    nodes.append(
        helper.make_node("ReduceMean", ["cast" if image_dtype else "images"], ["mean"], axes=[1, 2, 3], keepdims=1)
    )
    nodes.append(helper.make_node("Sub", ["mean", "mean"], ["zero4"]))
    constants, infos = [], []
    for name, array in outputs.items():
        shape = ["N" if batch_open else array.shape[0], *array.shape[1:]]
        rank = np.array([-1] + [1] * (array.ndim - 1), np.int64)
        constants += [
            numpy_helper.from_array(array.astype(helper.tensor_dtype_to_np_dtype(dtype)), name + "_values"),
            numpy_helper.from_array(rank, name + "_rank"),
        ]
        nodes.append(helper.make_node("Reshape", ["zero4", name + "_rank"], [name + "_zero"]))
        nodes.append(helper.make_node("Add", [name + "_values", name + "_zero"], [name]))
        infos.append(helper.make_tensor_value_info(name, dtype, shape))
    info = helper.make_tensor_value_info("images", image_dtype or dtype, list(input_shape))
    graph = helper.make_graph(nodes, "tiny", [info], infos, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, str(path))
    return str(path)


def boxes_v8(*rows: Sequence[float], classes: int = 3, count: int = 84) -> np.ndarray:
    """A YOLOv8 output (1, 4 + classes, count); each row is cx, cy, w, h, score, class in model pixels."""
    output = np.zeros((1, 4 + classes, count), np.float32)
    for number, (cx, cy, w, h, score, class_id) in enumerate(rows):
        output[0, :4, number] = cx, cy, w, h
        output[0, 4 + int(class_id), number] = score
    return output
