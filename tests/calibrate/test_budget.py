"""What stays in float, counted by reading and by ONNX Runtime's way."""

from __future__ import annotations

from typing import Any, List

import pytest

from edge_runtime.calibrate import budget
from edge_runtime.calibrate.budget import Budget
from edge_runtime.graph.products import Layer

LAYERS = [Layer("a", "b", 0.06), Layer("b", "", 0.06), Layer("c", "d", 0.2), Layer("d", "e", 0.25)]


@pytest.fixture(autouse=True)
def layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "layers", lambda network: LAYERS)


def made(*free: str, **limits: float) -> Budget:
    network: Any = None
    return Budget(network, free, **limits)


def test_costs_are_of_the_layers_that_read_or_make_it() -> None:
    costs: List[float] = [made().cost(name) for name in ("a", "b", "c", "d", "e", "other")]
    assert costs == pytest.approx([0.06, 0.12, 0.2, 0.45, 0.25, 0.0])


@pytest.mark.parametrize(
    ("free", "name", "fits"),
    [
        ((), "a", True),
        (("a",), "b", False),  # 0.12 would read activations in float
        ((), "c", False),
        ((), "e", True),  # nothing reads it, and ONNX Runtime computes 0.25 in float
        (("e", "a"), "b", False),
        (("e",), "a", False),  # 0.31 on ONNX Runtime
        (("b",), "other", True),
    ],
)
def test_the_limits(free: tuple, name: str, fits: bool) -> None:  # type: ignore[type-arg]
    tried = made(*free)
    assert tried.add(name) is fits
    assert tried.free == ([*free, name] if fits else list(free))


def test_a_layer_is_counted_once() -> None:
    """The layer from a to b computes in float already, so that its result costs only what reads it."""
    assert made("a", read=0.13, on_onnxruntime=0.121).add("b")
    assert not made("a", read=0.13, on_onnxruntime=0.119).add("b")
