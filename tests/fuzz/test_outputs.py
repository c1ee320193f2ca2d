"""Random outputs of models are refused, or give a possible result that is the numpy twin's; an object is read right."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import fuzz  # noqa: E402
from fuzzing import outputs, planted, shapes  # noqa: E402

pytest.importorskip("edge_runtime.native._core", reason="needs the extension: pip install -e .")


def test_no_set_of_outputs_gives_an_impossible_result() -> None:
    outcomes, faults = fuzz.judge_all("outputs", 400, seed=7)
    assert not faults, faults[0]
    assert min(outcomes[what] for what in ("refused", "refused as a result", "boxes", "no boxes")) > 0


@pytest.mark.parametrize("kind", planted.KINDS)
def test_an_object_is_read_right_or_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planted, "KINDS", {kind: planted.KINDS[kind]})
    said = []
    for number in range(12):
        io, arrays, there = planted.draw(random.Random(number), np.random.default_rng(number))
        said.append(outputs.judge(outputs.Drawn(io, arrays, outputs.ModelFlags(), there)))
    assert not [what for what in said if what.startswith("FAULT")], said
    assert ("boxes" in said) == (kind not in planted.UNREADABLE), "what can be read is read"


def test_every_kind_of_shapes_is_drawn() -> None:
    chance = random.Random(0)
    assert all(kind((64, 96), 3) for kind in shapes.KINDS.values())
    assert all(shapes.draw(chance, (64, 64)) for _ in range(200))


def test_what_is_impossible_is_noticed() -> None:
    model = outputs.understand("m.onnx", outputs.ModelIO("i", (1, 3, 64, 64), {"o": (1, 7, 84)}))
    rows = np.array([[0, 0, 9, 9, 0.5, 0]], np.float32)
    assert outputs.impossible(rows, model) == ""
    for column, value, said in ((4, 1.1, "scores"), (2, 99, "boxes"), (5, 3, "classes"), (3, np.nan, "boxes")):
        wrong = rows.copy()
        wrong[0, column] = value
        assert said in outputs.impossible(wrong, model)
