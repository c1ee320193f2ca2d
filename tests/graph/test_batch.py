"""Opened networks give each picture what it got alone; what might mix pictures is refused."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.errors import ModelError
from edge_runtime.graph.batch import fixed_at_one, open_batch
from tests.models import FLOAT, INT8

FLOATS, SIZE = TensorProto.FLOAT, [1, 3, 4, 4]


def network(nodes: Sequence[onnx.NodeProto], constants: Mapping[str, Any]) -> onnx.ModelProto:
    """A network from `images` to `out`."""
    ends = [helper.make_tensor_value_info(name, FLOATS, shape) for name, shape in (("images", SIZE), ("out", None))]
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "small", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def node(op: str, reads: str, to: str = "out", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, reads.split(), to.split(), **attributes)


def alone_and_together(model: onnx.ModelProto, count: int = 3) -> List[List[np.ndarray]]:
    runtime = pytest.importorskip("onnxruntime")
    pictures = np.random.default_rng(3).normal(size=(count, *SIZE[1:])).astype(np.float32)
    before, after = (
        runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
        for content in (model.SerializeToString(), open_batch(model).SerializeToString())
    )
    alone = [before.run(None, {"images": picture[None]}) for picture in pictures]
    together = after.run(None, {"images": pictures})
    return [[np.concatenate(parts) for parts in zip(*alone)], together]


I64 = np.int64
WORKS = {
    "written sizes": ([node("Reshape", "images to")], {"to": np.array([1, 12, 4], I64)}),
    "a size of zero": ([node("Reshape", "images to")], {"to": np.array([0, -1], I64)}),
    "the batch moves and comes back": (
        [node("Transpose", "images", "t", perm=[2, 3, 0, 1]), node("Reshape", "t to", "r"),
         node("Transpose", "r", perm=[1, 0, 2])],
        {"to": np.array([16, 1, 3], I64)},
    ),
    "sizes from the picture": (
        [node("Shape", "images", "s"), node("Gather", "s zero", "b"), node("Concat", "b rest", "to", axis=0),
         node("Reshape", "images to")],
        {"zero": np.array([0], I64), "rest": np.array([3, 16], I64)},
    ),
    "written sizes of Resize": (
        [node("Resize", "images  sizes", mode="nearest")], {"sizes": np.array([1, 3, 8, 8], I64)},
    ),
    "the last two are multiplied": ([node("MatMul", "images weights")], {"weights": np.ones((4, 2), np.float32)}),
    "a softmax per channel": ([node("Softmax", "images", axis=1)], {}),
    "channels are cut": (
        [node("Slice", "images from until axes")],
        {"from": np.array([1], I64), "until": np.array([3], I64), "axes": np.array([1], I64)},
    ),
    "a channel is picked": ([node("Gather", "images one", axis=1)], {"one": np.array(1, I64)}),
    "weights of no batch": ([node("Add", "images weights")], {"weights": np.ones((3, 1, 1), np.float32)}),
    "the best of each": ([node("TopK", "images k", "out places", axis=3)], {"k": np.array([2], I64)}),
    "a mean": ([node("ReduceMean", "images", axes=[2, 3], keepdims=0)], {}),
    "axes come, before the pictures too": (
        [node("Unsqueeze", "images first", "u"), node("Transpose", "u", perm=[1, 0, 2, 3, 4])],
        {"first": np.array([0], I64)},
    ),
    "axes go": ([node("ReduceMax", "images", "m", axes=[2, 3]), node("Squeeze", "m axes")],
                {"axes": np.array([2, -1], I64)}),
    "one row of each": ([node("Flatten", "images", "f", axis=-3), node("Gemm", "f weights bias", transB=1)],
                        {"weights": np.eye(5, 48, dtype=np.float32), "bias": np.ones(5, np.float32)}),
    "sides are padded": ([node("Pad", "images around")], {"around": np.array([0, 0, 1, 1, 0, 0, 2, 2], I64)}),
    "channels are repeated": ([node("Tile", "images times")], {"times": np.array([1, 2, 1, 3], I64)}),
    "rows are repeated": ([node("ReduceMax", "images", "m", axes=[2]), node("Expand", "m sizes")],
                          {"sizes": np.array([5, 1], I64)}),
    "the place of the best": (
        [node("ArgMax", "images", "p", axis=1, keepdims=0), helper.make_node("Cast", ["p"], ["out"], to=FLOATS)],
        {},
    ),
    "what is at the places of each": (
        [node("ArgMax", "images", "places", axis=1), node("GatherElements", "images places", axis=1)], {},
    ),
    "parts change places": ([node("Split", "images", "a b", axis=2), node("Concat", "b a", axis=2)], {}),
    "picked by a table, before the pictures": (
        [node("Transpose", "images", "t", perm=[1, 0, 2, 3]), node("Gather", "t table", "g", axis=0),
         node("Transpose", "g", perm=[2, 0, 1, 3, 4])],
        {"table": np.array([[0, 1], [2, 0]], I64)},
    ),
    "pictures multiply themselves": (
        [node("Transpose", "images", "t", perm=[0, 1, 3, 2]), node("MatMul", "images t")], {},
    ),
    "weights on the left": ([node("MatMul", "weights images")], {"weights": np.eye(2, 4, dtype=np.float32)}),
    "a convolution, and rounding of each channel": (
        [node("Conv", "images weights", "c"), node("QuantizeLinear", "c scales zeros", "q", axis=1),
         node("DequantizeLinear", "q scales zeros", axis=1)],
        {"weights": np.ones((2, 3, 3, 3), np.float32), "scales": np.array([0.1, 0.2], np.float32),
         "zeros": np.zeros(2, np.int8)},
    ),
    "factors of Resize": ([node("Resize", "images  factors", mode="nearest")],
                          {"factors": np.array([1, 1, 2, 2], np.float32)}),
}  # fmt: skip
WORKS["written sizes of Resize"][0][0].input[:] = ["images", "", "", "sizes"]
WORKS["factors of Resize"][0][0].input[:] = ["images", "", "factors"]
MIXES = {
    "Reshape": ([node("Reshape", "images to")], {"to": np.array([3, 16], I64)}),
    "Softmax": ([node("Softmax", "images", axis=0)], {}),
    "ReduceMax": ([node("ReduceMax", "images", keepdims=1)], {}),
    "Concat": ([node("Concat", "images images", axis=0)], {}),
    "Add": ([node("Transpose", "images", "t", perm=[3, 1, 2, 0]), node("Add", "images t")], {}),
    "DynamicQuantizeLinear": ([node("DynamicQuantizeLinear", "images", "q scale zero"),
                               node("DequantizeLinear", "q scale zero")], {}),
    "Squeeze": ([node("Squeeze", "images")], {}),
    "Gather": ([node("Gather", "images zero", axis=0)], {"zero": np.array([0], I64)}),
    "Flatten": ([node("Flatten", "images", axis=2)], {}),
    "Pad": ([node("Pad", "images around")], {"around": np.array([0, 0, 0, 0, 1, 0, 0, 0], I64)}),
    "Tile": ([node("Tile", "images times")], {"times": np.array([2, 1, 1, 1], I64)}),
    "Expand": ([node("Expand", "images sizes")], {"sizes": np.array([2, 3, 4, 4], I64)}),
    "ArgMax": ([node("ArgMax", "images", axis=-4)], {}),
    "Split": ([node("Split", "images", axis=0)], {}),
    "TopK": ([node("TopK", "images one", "out places", axis=0)], {"one": np.array([1], I64)}),
    "Slice": ([node("Slice", "images from until")], {"from": np.array([0], I64), "until": np.array([1], I64)}),
    "Mul": ([node("Mul", "images weights")], {"weights": np.ones((2, 3, 4, 4), np.float32)}),
    "MatMul": ([node("Transpose", "images", "t", perm=[3, 1, 2, 0]), node("MatMul", "t weights")],
               {"weights": np.ones((1, 2), np.float32)}),
    "Conv": ([node("Transpose", "images", "t", perm=[1, 0, 2, 3]), node("Conv", "t weights")],
             {"weights": np.ones((2, 1, 3, 3), np.float32)}),
    "Resize": ([node("Resize", "images  factors")], {"factors": np.array([2, 1, 1, 1], np.float32)}),
    "Gemm": ([node("Flatten", "images", "f", axis=1), node("Gemm", "f weights", transA=1)],
             {"weights": np.ones((1, 5), np.float32)}),
    "CumSum": ([node("CumSum", "images axis")], {"axis": np.array(0, I64)}),
    "Unknown": ([helper.make_node("Unknown", ["images"], ["out"], domain="com.example")], {}),
}  # fmt: skip
MIXES["Resize"][0][0].input[:] = ["images", "", "factors"]


@pytest.mark.parametrize("name", WORKS)
def test_each_picture_gets_what_it_got_alone(name: str) -> None:
    nodes, constants = WORKS[name]
    alone, together = alone_and_together(network(nodes, constants))
    assert [each.shape for each in together] == [each.shape for each in alone]
    for found, expected in zip(together, alone):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("name", MIXES)
def test_what_might_mix_pictures_is_refused_by_name(name: str) -> None:
    nodes, constants = MIXES[name]
    with pytest.raises(ModelError, match=f"fixed at 1 and cannot be opened: {name} ") as caught:
        open_batch(network(nodes, constants))
    assert "--batch" in str(caught.value.hint)


def test_an_output_that_no_picture_owns_is_refused() -> None:
    turned = network([node("Transpose", "images", perm=[1, 0, 2, 3])], {})
    with pytest.raises(ModelError, match="output out does not have one part for each picture"):
        open_batch(turned)


@pytest.mark.parametrize("path", [*FLOAT, *INT8], ids=lambda path: path.stem)
def test_all_families_of_networks_are_opened(path: Any) -> None:
    model = open_batch(onnx.load(str(path)))
    assert not fixed_at_one(model)
    ends = [*model.graph.input, *model.graph.output]
    assert {end.type.tensor_type.shape.dim[0].dim_param for end in ends} == {"batch"}
