"""What the proof makes of a passport's layers, and which GPUs are not asked for INT8."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.gpu import cuda_driver
from edge_runtime.gpu.passport import Passport, Platform
from edge_runtime.model.spec import ModelIO, ModelSpec
from edge_runtime.prove import model
from edge_runtime.prove.steps import Skip, Task


def passport(**convolutions: int) -> Passport:
    io = ModelIO("images", (1, 3, 8, 8), {"o": (1, 5, 4)})
    return Passport(ModelSpec("yolo_v8", (8, 8)), io, "", {}, convolutions, "", "", Platform(), 1.0, "")


@pytest.mark.parametrize(
    ("precision", "convolutions", "wrong"),
    [
        ("fp16", {"Half": 60, "Float": 2}, False),
        ("fp16", {"float16": 1}, False),
        ("fp16", {"Float": 62}, True),
        ("int8+fp16", {"Int8": 3, "Half": 59}, False),
        ("int8+fp16", {"int8": 62}, False),
        ("int8+fp16", {"Half": 62}, True),
        ("int8+fp16", {}, False),  # a TensorRT that lists nothing
    ],
)
def test_a_precision_that_is_nowhere_in_the_engine_is_a_fault(precision, convolutions, wrong):
    found = model._types(precision, passport(**convolutions))
    assert bool(found) is wrong and all(precision in text for text in found)


@pytest.mark.parametrize("capability", ["5.3", "6.2"])
def test_a_gpu_without_int8_is_not_asked_for_it(tmp_path: Path, monkeypatch, capability):
    monkeypatch.setattr(cuda_driver, "compute_capability", lambda: capability)
    with pytest.raises(Skip, match="does not compute in INT8"):
        model.prove(Task("model", "int8+fp16", "/", str(tmp_path)))
