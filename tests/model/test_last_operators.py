"""What a graph computes last before each output, through everything that only moves values."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np
import pytest
from onnx import GraphProto, TensorProto, helper, numpy_helper

from edge_runtime.model import onnx_file
from edge_runtime.model.last_operators import last_operators
from tests.models import MODELS


def graph(nodes: Sequence[Sequence[object]], *outputs: str) -> GraphProto:
    """Nodes are (operator, inputs, output); `w` is a constant."""
    made = [helper.make_node(op, str(inputs).split(), [str(output)]) for op, inputs, output in nodes]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, 8, 8))
    return helper.make_graph(made, "g", [image], infos, [numpy_helper.from_array(np.zeros(1, np.float32), "w")])


def test_joined_parts_are_in_the_order_of_their_channels() -> None:
    found = last_operators(graph([
        ("Conv", "images w", "a"), ("Conv", "images w", "b"), ("Mul", "a w", "boxes"), ("Sigmoid", "b", "scores"),
        ("Concat", "boxes scores", "both"), ("Transpose", "both", "turned"), ("Identity", "turned", "out"),
        ("Softmax", "a", "other"),
    ], "out", "other"))  # fmt: skip
    assert found == {"out": ("Mul", "Sigmoid"), "other": ("Softmax",)}


def test_a_bias_and_what_only_moves_or_rounds_are_passed() -> None:
    found = last_operators(graph([
        ("MatMul", "images w", "m"), ("Add", "w m", "biased"), ("QuantizeLinear", "biased w w", "q"),
        ("DequantizeLinear", "q w w", "d"), ("GatherElements", "d w", "out"), ("Add", "m d", "sum"),
    ], "out", "sum"))  # fmt: skip
    assert found == {"out": ("MatMul",), "sum": ("Add",)}


def test_equal_neighbours_are_one_and_inputs_and_constants_none() -> None:
    nodes = [("Conv", "images w", "a"), ("Conv", "images w", "b"), ("Concat", "a b images w", "out")]
    assert last_operators(graph(nodes, "out", "nothing")) == {"out": ("Conv",), "nothing": ()}


def test_a_graph_in_a_circle_ends() -> None:
    assert last_operators(graph([("Concat", "out out", "out")], "out")) == {"out": ()}


FILES = {"yolo_v3": ("Conv",), "yolox": ("Conv", "Sigmoid") * 3, "nanodet_int8": ("Sigmoid",)}


@pytest.mark.parametrize(("name", "operators"), FILES.items())
def test_files_of_ours(name: str, operators: Sequence[str]) -> None:
    io = onnx_file.read_io(str(MODELS / f"{name}.onnx"))
    assert io.produced_by[next(iter(io.outputs))] == operators


def test_shared_files(shared: Path) -> None:
    def of(name: str) -> Sequence[str]:
        return next(iter(onnx_file.read_io(str(shared / "models" / name)).produced_by.values()))

    assert of("yolov8/yolov8n_640_fp32deq.onnx") == ("Mul", "Sigmoid")
    assert "TopK" in of("yolov10/yolov10n_640_fp32deq.onnx")
