"""ONNX Runtime says what runs, not what it lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import helper, save

from edge_runtime.backends import BackendOptions, onnxruntime
from edge_runtime.errors import BackendUnavailable

ort = pytest.importorskip("onnxruntime")


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file, where CUDA is listed and has nothing to run on: onnxruntime-gpu without CUDA's libraries."""
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("CUDA is here")
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    ends = [helper.make_tensor_value_info(name, 1, [1, 4]) for name in "xy"]
    body = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", ends[:1], ends[1:])
    save(helper.make_model(body, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "relu.onnx")
    return str(tmp_path / "relu.onnx")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_cuda_that_does_not_start_is_an_error_where_it_is_asked_for(listed: str) -> None:
    with pytest.raises(BackendUnavailable, match=r"CUDAExecutionProvider is listed .* does not start") as caught:
        onnxruntime._session(listed, BackendOptions(device="cuda"), 1)
    assert "--device cpu" in str(caught.value.hint)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_and_else_the_description_says_what_runs(listed: str) -> None:
    assert onnxruntime._session(listed, BackendOptions(), 1)[1].endswith(" cpu, 1 thread")
