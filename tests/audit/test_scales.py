"""Ranges of INT8 files: right ones are not wide, one that is eight times too wide is named with its factor."""

from __future__ import annotations

from pathlib import Path
from typing import Set, Tuple

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.audit import scales
from edge_runtime.audit.graphs import Graph
from edge_runtime.model import onnx_file
from tests.models import MODELS

pytest.importorskip("onnxruntime")
PICTURE = np.random.default_rng(2).random((3, 128, 128)).astype(np.float32)
ENDS = (0.0, 1.0)


def graph(path: Path) -> Graph:
    return Graph(str(path), onnx_file.read_io(str(path), None, 1))


def widened(source: Path, target: Path, number: int, factor: float) -> str:
    """The file with the scale of one rounding multiplied; returns the tensor."""
    model = onnx.load(str(source))
    node = [each for each in model.graph.node if each.op_type == "QuantizeLinear"][number]
    scale = next(each for each in model.graph.initializer if each.name == node.input[1])
    array = numpy_helper.to_array(scale) * np.float32(factor)
    scale.CopyFrom(numpy_helper.from_array(array.astype(np.float32), scale.name))
    onnx.save(model, str(target))
    return str(node.input[0])


def sharing(path: Path, tensor: str) -> Set[str]:
    """The tensors that are rounded with the scale of this one."""
    nodes = [each for each in onnx.load(str(path)).graph.node if each.op_type == "QuantizeLinear"]
    scale = next(each.input[1] for each in nodes if each.input[0] == tensor)
    return {each.input[0] for each in nodes if each.input[1] == scale}


@pytest.mark.parametrize("name", ["yolo_v3", "nanodet"])
def test_one_wide_range_is_named(name: str, tmp_path: Path) -> None:
    right = MODELS / f"{name}_int8.onnx"
    before = scales.widest(graph(right), [PICTURE], ENDS)
    assert before is not None and before.times < 4
    tensor = widened(right, tmp_path / "wide.onnx", 3, 40.0)
    found = scales.widest(graph(tmp_path / "wide.onnx"), [PICTURE], ENDS)
    assert found is not None and found.times > 8
    assert found.name in sharing(right, tensor)


def one(path: Path, op: str, scale: float, dtype: type, *names: str) -> Graph:
    """x -> op -> rounded, then back."""
    zero = numpy_helper.from_array(np.array(0, dtype), "zero")
    nodes = [
        helper.make_node(op, ["x", *names], ["y"]),
        helper.make_node("QuantizeLinear", ["y", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["z"]),
    ]
    ends = [numpy_helper.from_array(np.float32(value), name) for name, value in (("low", 0.0), ("high", 6.0))]
    shape = [1, 3, 4, 4]
    made = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.float32(scale), "scale"), zero, *ends],
    )  # fmt: skip
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return graph(path)


@pytest.mark.parametrize(
    ("op", "names", "scale", "dtype", "times"),
    [
        ("Identity", (), 1 / 255, np.uint8, 2.0),  # values reach a half
        ("Identity", (), 1 / 127, np.int8, 2.0),
        ("Identity", (), 8 / 127, np.int8, 16.0),
        ("Sigmoid", (), 1 / 255, np.uint8, 1.0),  # bounded by 1, whatever the values
        ("Clip", ("low", "high"), 6 / 255, np.uint8, 1.0),
        ("Clip", ("low", "high"), 48 / 255, np.uint8, 8.0),
    ],
)
def test_how_many_times(
    op: str, names: Tuple[str, ...], scale: float, dtype: type, times: float, tmp_path: Path
) -> None:
    found = scales.widest(one(tmp_path / "g.onnx", op, scale, dtype, *names), [np.full((3, 4, 4), 0.5, "f")], ENDS)
    assert found is not None and found.name == "y" and found.times == pytest.approx(times, rel=1e-3)
