"""Lists of any length become lists of 4096 rows, and the network answers the same in the rows that it gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime.graph.lists import fix_rows
from tests.exporters import write_graph

onnxruntime = pytest.importorskip("onnxruntime")
POSITIVE = np.array([3, 0, -1, 5, 7], np.float32)


def answers(model: onnx.ModelProto, value: float) -> list:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"images": np.full((1, 3, 4, 4), value, np.float32)})


def listing(path: Path) -> onnx.ModelProto:
    """Which of five numbers are above the mean of the picture: their places [n], rows (1, n, 2), and a count."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Greater", ["numbers", "mean"], ["above"]),
        helper.make_node("NonZero", ["above"], ["found"]),
        helper.make_node("Reshape", ["found", "flat"], ["places"]),
        helper.make_node("Gather", ["pairs", "places"], ["rows"], axis=1),
        helper.make_node("Shape", ["places"], ["count"]),
    ]
    outputs = {"places": (TensorProto.INT64, ["n"]), "rows": (TensorProto.FLOAT, ["b", "n", 2]),
               "count": (TensorProto.INT64, ["b"])}  # fmt: skip
    pairs = np.arange(10, dtype=np.float32).reshape(1, 5, 2)
    constants = {"numbers": POSITIVE, "flat": np.array([-1], np.int64), "pairs": pairs}
    inputs = {"images": (TensorProto.FLOAT, [1, 3, 4, 4])}
    return onnx.load(write_graph(path, nodes, inputs, outputs, constants))


@pytest.mark.parametrize("value", [-2, 0, 4, 9])
def test_rows_that_are_not_given_are_0(value: float, tmp_path: Path) -> None:
    model = listing(tmp_path / "m.onnx")
    given = answers(model, value)
    fix_rows(model, {"places": (-1,), "rows": (-1, -1, 2), "count": (-1,)})
    onnx.checker.check_model(model, full_check=True)
    got, count = answers(model, value), int((value < POSITIVE).sum())
    assert [array.shape for array in got] == [(4096,), (1, 4096, 2), (4096,)]
    assert [array.dtype for array in got] == [array.dtype for array in given]
    for longer, axis, array in zip(got, (0, 1, 0), given):
        kept, rest = np.split(longer, [array.shape[axis]], axis=axis)
        np.testing.assert_array_equal(kept, array)
        assert not rest.any()
    assert given[0].shape == (count,) and got[2][0] == count


def test_the_first_rows_of_a_longer_list_are_kept(tmp_path: Path) -> None:
    """Shape inference finds one size, though the list has another for each picture: so does TensorRT's parser."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Greater", ["numbers", "mean"], ["above"]),
        helper.make_node("NonZero", ["above"], ["found"]),
        helper.make_node("Reshape", ["found", "flat"], ["places"]),
    ]
    constants = {"numbers": np.arange(5000, dtype=np.float32), "flat": np.array([-1], np.int64)}
    path = write_graph(
        tmp_path / "m.onnx", nodes, {"images": (TensorProto.FLOAT, [1, 3, 4, 4])},
        {"places": (TensorProto.INT64, ["n"])}, constants,
    )  # fmt: skip
    model = onnx.load(path)
    fix_rows(model, {"places": (-1,)})
    model.graph.output[0].type.tensor_type.ClearField("shape")
    sizes = onnx.shape_inference.infer_shapes(model).graph.output[0].type.tensor_type.shape.dim
    assert [size.dim_value for size in sizes] == [4096]
    np.testing.assert_array_equal(answers(model, 6.0)[0], np.arange(7, 7 + 4096))


def test_a_graph_inside_a_node_reads_the_list_by_its_new_name(tmp_path: Path) -> None:
    inner = helper.make_graph(
        [helper.make_node("Identity", ["places"], ["same"])], "inner", [],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, ["n"])],
    )  # fmt: skip
    other = helper.make_graph(
        [helper.make_node("Neg", ["places"], ["less"])], "other", [],
        [helper.make_tensor_value_info("less", TensorProto.FLOAT, ["n"])],
    )  # fmt: skip
    nodes = [
        helper.make_node("Reshape", ["images", "flat"], ["all"]),
        helper.make_node("Compress", ["all", "chosen"], ["places"]),
        helper.make_node("If", ["yes"], ["more"], then_branch=inner, else_branch=other),
    ]
    constants = {"flat": np.array([-1], np.int64), "chosen": np.array([True, True, False]), "yes": np.array(False)}
    outputs = {"places": (TensorProto.FLOAT, ["n"]), "more": (TensorProto.FLOAT, ["n"])}
    path = write_graph(tmp_path / "m.onnx", nodes, {"images": (TensorProto.FLOAT, [1, 3, 4, 4])}, outputs, constants)
    model = onnx.load(path)
    fix_rows(model, {"places": (-1,), "more": (-1,)})
    places, more = answers(model, 2.5)
    assert places[:3].tolist() == [2.5, 2.5, 0] and more[:3].tolist() == [-2.5, -2.5, 0]
