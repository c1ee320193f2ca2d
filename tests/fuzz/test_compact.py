"""Random pruned networks are compacted and stay equal; the judge sees what is broken."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import onnx
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("edge_runtime.native._core", reason="needs the extension: pip install -e .")
from fuzzing import compacted, pruned_layers  # noqa: E402


@pytest.mark.parametrize(("kind", "count"), [("pruned", 40), ("drawn", 10)])
def test_every_network_stays_equal(kind: str, count: int) -> None:
    found, faults = compacted.run_all(kind, count, seed=5)
    assert not faults, "\n\n".join(f"network {number}: {reason}" for number, reason in faults)
    assert kind == "drawn" or found["made smaller"] > 0.6 * count, found


def test_every_kind_is_drawn() -> None:
    drawn = [pruned_layers.draw(number, seed=3) for number in range(60)]
    ops = Counter(node.op_type for model in drawn for node in model.graph.node)
    wanted = """Conv ConvTranspose Gemm MatMul BatchNormalization MaxPool AveragePool GlobalAveragePool Split Concat
        Slice Gather Pad Resize Reshape Flatten Add Sub Mul Max Softmax PRelu Clip Sigmoid Tanh""".split()
    assert not [op for op in wanted if op not in ops]
    assert pruned_layers.draw(11, seed=3).SerializeToString() == drawn[11].SerializeToString()


def test_the_judge_sees_a_wrong_result(monkeypatch) -> None:
    plain = compacted.compact

    def broken(model, **options):
        made, report = plain(model, **options)
        last = next(node for node in reversed(made.graph.node) if node.op_type == "Conv")
        tensor = next(each for each in made.graph.initializer if each.name == last.input[1])
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) * 1.001, tensor.name))
        return made, report

    monkeypatch.setattr(compacted, "compact", broken)
    assert compacted.judge(*compacted.one("pruned", 2, 5))[0].startswith("FAULT error")


def test_the_judge_sees_a_width_that_fits_no_block(monkeypatch) -> None:
    plain = compacted.compact
    monkeypatch.setattr(compacted, "compact", lambda model, imgsz, multiple: plain(model, imgsz=imgsz, multiple=1))
    said = [compacted.judge(*compacted.one("pruned", number, 5))[0] for number in range(6)]
    assert any(each.startswith("FAULT widths") and each.endswith("(multiples of 8)") for each in said), said
