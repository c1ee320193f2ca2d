"""What a library says of a model that it cannot run reaches the user as one of our errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime import plugins
from edge_runtime.backends import BackendOptions, _failures
from edge_runtime.errors import DeviceError, EdgeError, ModelError, UsageError
from edge_runtime.model.spec import ModelSpec

HOST = ["onnxruntime", "openvino"]
SPEC = ModelSpec("yolox", (32, 32))


def model(
    path: Path, nodes: Sequence[Any], outputs: Sequence[Any], batch: int = 1, kind: int = TensorProto.FLOAT
) -> str:
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, 32, 32])
    shapes = [helper.make_tensor_value_info(name, kind, shape) for name, shape in outputs]
    graph = helper.make_graph(nodes, "g", [images], shapes)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return str(path)


def runs(backend: str, path: str, options: BackendOptions = BackendOptions()) -> None:
    member = plugins.load_member("backends", backend)
    if member.available():
        pytest.skip(f"no {backend}")
    opened = member.open(path, SPEC, None, options)
    try:
        opened.enqueue(0, [np.full((32, 32, 3), 9, np.uint8)])
        opened.wait(0)
    finally:
        opened.close()


@pytest.mark.parametrize("backend", HOST)
def test_outputs_whose_size_depends_on_the_image(backend: str, tmp_path: Path) -> None:
    nodes = [helper.make_node("NonZero", ["images"], ["found"])]
    path = model(tmp_path / "a.onnx", nodes, [("found", [4, None])], kind=TensorProto.INT64)
    with pytest.raises(ModelError) as caught:
        runs(backend, path)
    assert "post-processing" in str(caught.value.hint)


@pytest.mark.parametrize("backend", HOST)
@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("Invented", ["images"], ["out"])],
        [helper.make_node("Invented", ["images"], ["out"], domain="some.where")],
        [helper.make_node("Reshape", ["images", "nowhere"], ["out"])],
        [helper.make_node("Conv", ["images", "images"], ["out"])],
        [helper.make_node("Relu", ["images"], ["other"])],
    ],
    ids=["operator", "domain", "input", "shapes", "output"],
)  # fmt: skip
def test_networks_that_make_no_sense(backend: str, nodes: Any, tmp_path: Path) -> None:
    path = model(tmp_path / "a.onnx", nodes, [("out", [1, 3, 32, 32])])
    with pytest.raises(EdgeError) as caught:
        runs(backend, path)
    assert caught.value.hint and "\n" not in str(caught.value) and len(str(caught.value)) < 900


@pytest.mark.parametrize("backend", HOST)
def test_a_batch_that_the_file_does_not_have(backend: str, tmp_path: Path) -> None:
    path = model(
        tmp_path / "a.onnx", [helper.make_node("Relu", ["images"], ["out"])], [("out", [2, 3, 32, 32])], batch=2
    )
    with pytest.raises(UsageError, match="--batch is 3, the model's batch is fixed at 2"):
        runs(backend, path, BackendOptions(batch=3))
    runs(backend, path)
    runs(backend, path, BackendOptions(batch=2))


def test_buffers_that_cannot_be() -> None:
    with pytest.raises(DeviceError, match="GB are free"):
        _failures.check_buffers([(1 << 20, 3, 4096, 4096)], ["float32"], 2)
    with pytest.raises(ModelError, match="leaves open"):
        _failures.check_buffers([(1, -1, 4)], ["float32"], 2)
    with pytest.raises(ModelError, match="of type object"):
        _failures.check_buffers([(1, 2)], ["object"], 2)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("std::bad_alloc"), RuntimeError("CUDA error: out of memory")]
)
def test_memory_that_runs_out(error: BaseException) -> None:
    said = _failures.explained("openvino", "a.onnx", error)
    assert isinstance(said, DeviceError) and "memory ran out" in str(said) and "--batch" in str(said.hint)
