"""Inputs of every kind become one planar float input, and the network answers the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime.graph.inputs import plain_input
from edge_runtime.model.onnx_file import read_io
from tests.exporters import write_graph

onnxruntime = pytest.importorskip("onnxruntime")
IMAGE = np.random.default_rng(0).integers(0, 256, (1, 3, 12, 20)).astype(np.uint8)


def network(path: Path, kind: int, last: bool, casts: bool) -> str:
    """Sums of each colour, times the second input."""
    shape, axes = ([1, 12, 20, 3], [1, 2]) if last else ([1, 3, 12, 20], [2, 3])
    pixels = "pixels" if casts else "first"
    nodes = [
        helper.make_node("Cast", [pixels], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=axes, keepdims=0),
        helper.make_node("Cast", ["orig_target_sizes"], ["sizes"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["sizes"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["means", "sum"], ["result"]),
    ]
    if not casts:
        nodes.insert(0, helper.make_node("Concat", ["pixels", "pixels"], ["first"], axis=0))
    inputs = {"pixels": (kind, shape), "orig_target_sizes": (TensorProto.INT64, ["N", 2])}
    return write_graph(path, nodes, inputs, {"result": (TensorProto.FLOAT, ["N", 3])}, {})


@pytest.mark.parametrize("casts", [True, False])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.UINT8])
def test_one_planar_float_input(kind: int, last: bool, casts: bool, tmp_path: Path) -> None:
    path = network(tmp_path / "n.onnx", kind, last, casts)
    model = onnx.load(path)
    plain_input(model, (20, 12))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(tmp_path / "plain.onnx"))
    io = read_io(str(tmp_path / "plain.onnx"))
    assert (io.input_shape, io.channels_last, dict(io.others)) == ((1, 3, 12, 20), False, {})
    assert io.dtypes["pixels"] == "float32"
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    noise = 0.3 if kind == TensorProto.UINT8 else 0.0
    (got,) = session.run(None, {"pixels": IMAGE.astype(np.float32) + np.float32(noise)})
    np.testing.assert_allclose(got[0], IMAGE[0].mean(axis=(1, 2)) * (20 + 12), rtol=1e-5)


def test_a_plain_network_stays_as_it_is(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["images"], ["output"])]
    value = (TensorProto.FLOAT, [1, 3, 8, 8])
    model = onnx.load(write_graph(tmp_path / "n.onnx", nodes, {"images": value}, {"output": value}, {}))
    before = model.SerializeToString()
    plain_input(model, (8, 8))
    assert model.SerializeToString() == before
