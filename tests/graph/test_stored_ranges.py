"""What a quantised file says about its own ranges."""

from __future__ import annotations

import pytest

from edge_runtime.graph.network import Network
from edge_runtime.graph.stored_ranges import stored_ranges
from tests.graph.test_quantize import network, quantized, ranges


@pytest.mark.parametrize("form", ["onnxruntime", "tensorrt"])
def test_ranges_come_back(form):
    known, found = ranges(network()), stored_ranges(Network(quantized(form)))
    assert len(found) > 30
    for name, (low, high) in found.items():
        step = (high - low) / 255
        if form == "tensorrt":
            assert max(-low, high) == pytest.approx(max(-known[name][0], known[name][1]), rel=0.01)
        else:
            assert (low, high) == pytest.approx(known[name], abs=step)
