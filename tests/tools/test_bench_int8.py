"""The INT8 benchmark's own counting: what is in 8 bits, what missed its mark."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest

from tests.graph.test_quantize import network, quantized

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from bench import int8_accuracy, int8_cost, int8_models


def test_multiplications_in_8_bits(tmp_path):
    onnx.save(network().model, tmp_path / "float.onnx")
    onnx.save(quantized("onnxruntime"), tmp_path / "int8.onnx")
    first = network().nodes[0]
    onnx.save(quantized("onnxruntime", keep=[first.name]), tmp_path / "mixed.onnx")
    assert int8_models.int8_macs(tmp_path / "float.onnx") == 0
    assert int8_models.int8_macs(tmp_path / "int8.onnx") > 0.99
    assert 0.8 < int8_models.int8_macs(tmp_path / "mixed.onnx") < 1


@pytest.mark.parametrize(("change", "said"), [
    ({}, "ok"), ({"openvino": -1.01}, "MISSED AP"), ({"int8_macs": 0.0, "size": 1.0}, "MISSED MACs size"),
])  # fmt: skip
def test_what_missed(change, said):
    row = {
        "model": "m",
        "fp32": 0.4,
        "onnxruntime": -0.3,
        "openvino": 0.1,
        "int8_macs": 0.95,
        "int8_macs_ort": 0.7,
        "size": 0.3,
    }
    assert int8_accuracy._text({**row, **change})[-1] == said


def test_a_command_runs_the_checkout_that_is_asked_for(tmp_path):
    package = tmp_path / "edge_runtime"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "only_here.py").touch()
    command = [sys.executable, "-m", "edge_runtime.only_here"]
    int8_cost.run_command(command, tmp_path)
    with pytest.raises(SystemExit):
        int8_cost.run_command(command)
