"""Rounding with parameters as inputs: the same as QuantizeLinear and DequantizeLinear, or nothing at all."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.graph import fake
from tests.graph.test_quantize import IMAGE, network, run

LIMITS = st.tuples(st.floats(-200, 0), st.floats(0.01, 200))


@given(limits=LIMITS)
def test_numpy_is_what_onnx_defines(limits):
    values = np.linspace(-250, 250, 999).astype(np.float32)
    step = (limits[1] - limits[0]) / 255
    zero = np.clip(np.round(-limits[0] / step), 0, 255)
    expected = (np.clip(np.round(values / step) + zero, 0, 255) - zero) * step
    assert np.abs(fake.rounded(values, limits) - expected).max() <= step * 1.001  # a tie may fall either way
    assert np.mean(np.abs(fake.rounded(values, limits) - expected) < step * 1e-3 + 1e-6) > 0.99


@pytest.mark.parametrize("rounded", [True, False])
def test_a_session_rounds_what_it_is_asked_to(rounded):
    names, limits = ["images", "conv1"], (0.0, 0.8)
    source = network()
    outputs = source.outputs
    session = onnxruntime.InferenceSession(
        fake.insert(source, names).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    settings = {**fake.parameters("images", limits, rounded), **fake.parameters("conv1", (0, 6), rounded=False)}
    got = session.run(outputs, {"images": IMAGE, **settings})
    image = fake.rounded(IMAGE, limits) if rounded else IMAGE
    for value, expected in zip(got, run(network().model, image=image).values()):
        np.testing.assert_allclose(value, expected, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize("limits", [(0.0, 1e-6), (-0.3, 6.0), (-3e4, 6e4)])
def test_what_is_not_rounded_keeps_all_its_bits(limits):
    values = np.random.default_rng(3).uniform(*limits, 1000).astype(np.float32)
    inverse, first, last, step = fake.parameters("x", limits, rounded=False).values()
    np.testing.assert_array_equal(np.clip(np.round(values * inverse), first, last) * step, values)
