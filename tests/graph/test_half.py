"""Float16 networks: half the size, nearly the same, valid ONNX, with and without 8 bits inside."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edge_runtime.graph.half import half
from edge_runtime.graph.network import Network
from tests.graph.test_quantize import network, quantized, run


@pytest.mark.parametrize("arch", ["yolo_nano", "tiny_yolo_v2", "tiny_yolo_v3"])
def test_close_and_half_as_large(arch):
    whole = len(network(arch).model.SerializeToString())
    model = half(network(arch))
    onnx.checker.check_model(model, full_check=True)
    assert 0.48 < len(model.SerializeToString()) / whole < 0.53
    expected, got = run(network(arch).model), run(model)
    assert list(expected) == list(got)
    for name, value in expected.items():
        assert got[name].dtype == np.float32
        assert np.square(got[name] - value).mean() < 1e-3 * value.var()


def test_what_is_quantised_stays_so():
    mixed = half(Network(quantized("onnxruntime")))
    onnx.checker.check_model(mixed, full_check=True)
    kinds = [node.op_type for node in mixed.graph.node]
    assert kinds.count("QuantizeLinear") == [n.op_type for n in quantized("onnxruntime").graph.node].count(
        "QuantizeLinear"
    )
    expected, eight_bits = run(network().model), run(quantized("onnxruntime"))
    for name, value in run(mixed).items():
        lost, lost_by_8_bits = (np.square(got - expected[name]).mean() for got in (value, eight_bits[name]))
        assert lost < 2 * lost_by_8_bits < 0.2 * expected[name].var(), "about as close as 8 bits alone"


def test_large_weights_do_not_become_infinite():
    source = network()
    source.set_constant("conv1.bias", np.full_like(source.constants["conv1.bias"], 1e6))
    model = Network(half(source))
    assert all(np.isfinite(v).all() for v in model.constants.values() if v.dtype == np.float16)
