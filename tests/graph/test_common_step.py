"""One step for all roundings: no more noise than before, and one number where there were many."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edge_runtime.graph.common_step import share_step
from edge_runtime.graph.network import Network
from tests.graph.test_quantize import network as float_network
from tests.graph.test_quantize import quantized, run


def steps(network: Network):
    rounding = [n for n in network.nodes if n.op_type == "QuantizeLinear" and n.input[0] not in network.constants]
    return {node.output[0]: float(network.constants[node.input[1]]) for node in rounding}


@pytest.mark.parametrize("arch", ["yolo_nano", "tiny_yolo_v3"])
def test_results_stay_and_steps_become_one(arch):
    before = quantized("tensorrt", arch)
    network = Network(quantized("tensorrt", arch))
    shared = share_step(network)
    onnx.checker.check_model(network.model, full_check=True)
    own, common = steps(Network(before)), steps(network)
    assert shared > 10 and len(own) == len(common)
    assert len(set(common.values())) == len(own) - shared + 1 < len(set(own.values()))
    images = [np.random.default_rng(k).uniform(0, 1, (1, 3, 64, 64)).astype(np.float32) for k in range(6)]
    ratios = np.array([noise(arch, network.model, image) / noise(arch, before, image) for image in images])
    assert 0.8 < np.exp(np.log(ratios).mean()) < 1.2, "rounding is no worse on average"


def noise(arch: str, model: onnx.ModelProto, image):
    """Mean square of what a form adds to each output."""
    expected, got = run(float_network(arch).model, image=image), run(model, image=image)
    return np.array([np.square(got[name] - value).mean() for name, value in expected.items()])


def test_what_an_addition_reads_keeps_its_step():
    network = Network(quantized("tensorrt"))
    own = steps(network)
    read = [network.producer(name) for node in network.nodes if node.op_type == "Add" for name in node.input]
    kept = [node.input[0] for node in read if node is not None and node.op_type == "DequantizeLinear"]
    share_step(network)
    assert kept and {name: steps(network)[name] for name in kept} == {name: own[name] for name in kept}
