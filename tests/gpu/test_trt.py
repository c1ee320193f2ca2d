"""TensorRT's Python module, as it is installed here."""

from __future__ import annotations

import pytest

from edge_runtime.errors import BackendUnavailable
from edge_runtime.gpu import trt


@pytest.fixture
def rtx():
    pytest.importorskip("tensorrt_rtx_bindings", reason="needs TensorRT-RTX: the extra rtx")
    return trt.library()


@pytest.mark.parametrize("compute_capability", ["8.6", "8.9", "12.0", "13.0"])
def test_rtx_runs_on_what_it_names_and_on_newer_ones(rtx, compute_capability):
    trt.check_rtx_runs(rtx, compute_capability)


@pytest.mark.parametrize("compute_capability", ["7.0", "8.7", "9.0", "10.0"])
def test_rtx_builds_nothing_for_a_gpu_that_it_does_not_run_on(rtx, compute_capability):
    """Seen on an H100: a plan was built, and refused when it was opened."""
    with pytest.raises(BackendUnavailable, match=f"this one has {compute_capability}") as caught:
        trt.check_rtx_runs(rtx, compute_capability)
    assert "onnxruntime-gpu" in str(caught.value.hint)
