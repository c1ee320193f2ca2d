"""Files with the inputs and outputs of exporters: any names, types and layouts, lists of any length."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IMAGE = {"images": (1, 3, 640, 640)}
Sizes = Sequence[Union[int, str]]


def write_export(
    path: Path,
    outputs: Dict[str, np.ndarray],
    inputs: Optional[Dict[str, Sizes]] = None,
    types: Optional[Dict[str, str]] = None,
    declared: Optional[Dict[str, Sizes]] = None,
    metadata: Optional[Dict[str, str]] = None,
) -> str:
    """Writes a network whose outputs are `outputs` plus 0 * the mean of every input, so that it needs them all.

    Args:
        inputs: name -> shape; the first is the image.
        types: numpy types of inputs that are not float32.
        declared: output name -> shape that the file states.
    """
    nodes: List[onnx.NodeProto] = []
    infos = []
    for number, (name, shape) in enumerate((inputs or IMAGE).items()):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype((types or {}).get(name, "float32")))
        infos.append(helper.make_tensor_value_info(name, kind, list(shape)))
        nodes.append(helper.make_node("Cast", [name], [f"in{number}"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("ReduceMean", [f"in{number}"], [f"mean{number}"], keepdims=0))
        nodes.append(helper.make_node("Mul", [f"mean{number}", "nothing"], [f"zero{number}"]))
    nodes.append(helper.make_node("Sum", [f"zero{number}" for number in range(len(infos))], ["zero"]))
    constants = [numpy_helper.from_array(np.array(0, np.float32), "nothing")]
    results = []
    for name, array in outputs.items():
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        constants.append(numpy_helper.from_array(array.astype(np.float32), f"{name}_values"))
        nodes.append(helper.make_node("Add", [f"{name}_values", "zero"], [f"{name}_sum"]))
        nodes.append(helper.make_node("Cast", [f"{name}_sum"], [name], to=kind))
        results.append(helper.make_tensor_value_info(name, kind, list((declared or {}).get(name, array.shape))))
    return _save(path, nodes, infos, results, constants, metadata)


def write_suppressing(path: Path, boxes: np.ndarray, scores: np.ndarray, columns: str) -> str:
    """Writes a network with ONNX's own NMS, which keeps the boxes whose score is above the mean of the picture.

    Args:
        boxes: (n, 4) corners in pixels.
        scores: (n,), all of class 1.
        columns: "table", [n, 7] as YOLOv7 writes it, or "apart", boxes [n, 4], labels and scores as torchvision.
    """
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "one"], ["limit"]),
        helper.make_node("NonMaxSuppression", ["b", "s", "most", "iou", "limit"], ["kept"]),
        helper.make_node("Gather", ["kept", "two"], ["numbers"], axis=1),
        helper.make_node("Gather", ["flat_boxes", "numbers"], ["boxes"], axis=0),
        helper.make_node("Gather", ["flat_scores", "numbers"], ["scores"], axis=0),
        helper.make_node("Gather", ["flat_labels", "numbers"], ["labels"], axis=0),
    ]
    outputs: Dict[str, Sizes] = {"boxes": ["n", 4], "labels": ["n"], "scores": ["n"]}
    if columns == "table":
        nodes += [helper.make_node("Unsqueeze", [name, "axis"], [f"{name}1"]) for name in ("labels", "scores")]
        nodes.append(helper.make_node("Cast", ["labels1"], ["class"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", ["scores1", "nothing"], ["picture"]))
        nodes.append(helper.make_node("Concat", ["picture", "boxes", "class", "scores1"], ["output"], axis=1))
        outputs = {"output": ["n", 7]}
    values = {
        "one": np.array([1], np.int64),
        "two": np.array(2, np.int64),
        "axis": np.array([1], np.int64),
        "most": np.array([100], np.int64),
        "iou": np.array([0.5], np.float32),
        "nothing": np.array(0, np.float32),
        "b": boxes[None],
        "s": scores[None, None],
        "flat_boxes": boxes,
        "flat_scores": scores,
        "flat_labels": np.ones(len(scores), np.int64),
    }
    kinds = {"labels": TensorProto.INT64}
    results = {name: (kinds.get(name, TensorProto.FLOAT), shape) for name, shape in outputs.items()}
    return write_graph(path, nodes, {"images": (TensorProto.FLOAT, [1, 3, 64, 64])}, results, values)


Value = Tuple[int, Sizes]  # ONNX's number of the type, and the shape


def write_graph(
    path: Path,
    nodes: List[onnx.NodeProto],
    inputs: Dict[str, Value],
    outputs: Dict[str, Value],
    constants: Dict[str, np.ndarray],
) -> str:
    """Writes a network of these nodes."""
    infos, results = (
        [helper.make_tensor_value_info(name, kind, list(shape)) for name, (kind, shape) in values.items()]
        for values in (inputs, outputs)
    )
    return _save(path, nodes, infos, results, [numpy_helper.from_array(v, n) for n, v in constants.items()], None)


def _save(
    path: Path,
    nodes: List[onnx.NodeProto],
    inputs: List[onnx.ValueInfoProto],
    outputs: List[onnx.ValueInfoProto],
    constants: List[onnx.TensorProto],
    metadata: Optional[Dict[str, str]],
) -> str:
    graph = helper.make_graph(nodes, "export", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, str(path))
    return str(path)
