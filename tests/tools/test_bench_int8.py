"""The INT8 benchmark's own counting: what is in 8 bits, what a builder listed, what missed its mark."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest

from edge_runtime.graph.half import half
from edge_runtime.graph.network import Network
from tests.graph.test_quantize import network, quantized

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from bench import int8_accuracy, int8_models, int8_tensorrt

LISTING = """Layers:
Name: conv1, LayerType: correlation, Inputs: [ { Name: a, Datatype: Int8, Format: x }], Outputs: [ { Datatype: Float }], TacticName: t
Name: conv2, LayerType: correlation, Inputs: [ { Name: b, Datatype: Float }], Outputs: [ { Datatype: Int8 }], TacticName: t
Name: add, LayerType: kgen, Inputs: [ { Name: c, Datatype: Int8 }], Outputs: [ { Datatype: Int8 }], TacticName: t
"""  # noqa: E501


def test_multiplications_in_8_bits(tmp_path):
    onnx.save(network().model, tmp_path / "float.onnx")
    onnx.save(quantized("onnxruntime"), tmp_path / "int8.onnx")
    first = network().nodes[0]
    onnx.save(quantized("onnxruntime", keep=[first.name]), tmp_path / "mixed.onnx")
    assert int8_models.int8_macs(tmp_path / "float.onnx") == 0
    assert int8_models.int8_macs(tmp_path / "int8.onnx") > 0.99
    assert 0.8 < int8_models.int8_macs(tmp_path / "mixed.onnx") < 1


def test_the_builders_listing():
    assert int8_tensorrt.int8_layers(LISTING) == {"conv1"}
    assert not int8_tensorrt.int8_layers("")


@pytest.mark.parametrize(("change", "said"), [
    ({}, "ok"), ({"openvino": -1.01}, "MISSED AP"), ({"int8_macs": 0.0, "size": 1.0}, "MISSED MACs size"),
])  # fmt: skip
def test_what_missed(change, said):
    row = {"model": "m", "fp32": 0.4, "onnxruntime": -0.3, "openvino": 0.1, "int8_macs": 0.95, "size": 0.3}
    assert int8_accuracy._text({**row, **change})[-1] == said


@pytest.mark.parametrize("float16", [False, True])
def test_the_tensorrt_form_builds(tmp_path, float16):
    """With TensorRT-RTX's builder where it is installed: every convolution in Int8."""
    pytest.importorskip("tensorrt_rtx_bindings", reason="needs tensorrt-rtx: pip install tensorrt-rtx-cu13-bindings")
    model = half(Network(quantized("tensorrt"))) if float16 else quantized("tensorrt")
    onnx.save(model, tmp_path / "form.onnx")
    built, error, listing = int8_tensorrt.build(str(tmp_path / "form.onnx"))
    assert built, error
    convs = [node for node in Network(model).nodes if node.op_type == "Conv"]
    assert len(int8_tensorrt.int8_layers(listing)) == len(convs)
