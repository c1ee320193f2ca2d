"""Golden frames of plans: edge-build stores them in the passport, and a wrong plan never opens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_runtime.build import forms, reference
from edge_runtime.cli import detect
from edge_runtime.detect.detector import Detector
from edge_runtime.detect.understand import describe
from edge_runtime.errors import BackendUnavailable, ModelError
from edge_runtime.gpu import passport
from edge_runtime.model.onnx_file import read_io
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.shipped import shipped_folder
from tests.models import DATA, MODELS
from tests.standins import tensorrt_network
from tests.standins.board import Board

pytest.importorskip("onnxruntime")
FLOAT, INT8 = MODELS / "yolo_v3.onnx", MODELS / "yolo_v3_int8.onnx"


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    return Board(monkeypatch)


def change(plan: Path, factor: float) -> None:
    """Multiplies the largest weight of a stand-in's plan."""
    model = onnx.load_from_string(plan.read_bytes()[len(tensorrt_network.MARK) :])
    weight = max(model.graph.initializer, key=lambda each: numpy_helper.to_array(each).size)
    values = numpy_helper.to_array(weight)
    weight.CopyFrom(numpy_helper.from_array((values * factor).astype(values.dtype), weight.name))
    plan.write_bytes(tensorrt_network.MARK + model.SerializeToString())


@pytest.mark.parametrize(("path", "precision"), [(FLOAT, "fp16"), (INT8, "int8+fp16")], ids=["fp16", "int8"])
def test_a_plan_finds_what_its_passport_says(board: Board, tmp_path: Path, path: Path, precision: str) -> None:
    plan = tmp_path / "made.plan"
    assert not any("golden" in note for note in board.build(path, plan, "--precision", precision, "--no-verdict"))
    about = passport.read_passport(plan)
    assert about is not None and about.golden["frames"]
    with Detector.open(plan) as detector:
        assert not any("golden" in note for note in detector.model.notes)


@pytest.mark.parametrize("strong", [True, False])
@pytest.mark.parametrize("depthwise", [True, False])
def test_the_plan_of_the_shipped_int8_file_has_golden_frames(strong: bool, depthwise: bool) -> None:
    """Its form for TensorRT is not run in the form of ONNX Runtime, which has other roundings."""
    path = str(shipped_folder() / "yolo_nano_voc_int8.onnx")
    source = forms.load_input(path, describe(path, read_io, ModelFlags()).spec)
    assert sorted(reference.golden_frames(source, "int8+fp16", strong, depthwise)) == ["frames", "tolerance"]


@pytest.mark.parametrize("factor", [0.0, np.nan], ids=["other weights", "overflow"])
def test_a_wrong_plan_never_runs(
    board: Board, tmp_path: Path, factor: float, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, out = tmp_path / "made.plan", tmp_path / "out.jsonl"
    board.build(FLOAT, plan, "--precision", "fp32")
    change(plan, factor)
    run = [str(plan), str(DATA / "shapes0.png"), "--output", str(out)]
    assert detect.main(run) == 1
    said = capsys.readouterr().err
    assert ("does not find what is stored" in said) or ("not finite" in said)
    assert "--no-golden" in said and not out.exists()
    assert not board.gpu.held and not board.gpu.faults
    assert detect.main([*run, "--no-golden"]) == 0 and out.exists()


def test_the_plan_of_another_model_is_refused(board: Board, tmp_path: Path) -> None:
    plan, other = tmp_path / "made.plan", tmp_path / "other.plan"
    board.build(FLOAT, plan, "--precision", "fp32")
    changed, model = tmp_path / "changed.onnx", onnx.load(str(FLOAT))
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.ndim == 4:
            weight.CopyFrom(numpy_helper.from_array(values[..., ::-1, ::-1].copy(), weight.name))
    onnx.save(model, str(changed))
    board.build(changed, other, "--precision", "fp32")
    plan.write_bytes(other.read_bytes())
    with pytest.raises(ModelError, match="does not find what is stored"):
        Detector.open(plan)


def test_a_passport_from_before_opens(board: Board, tmp_path: Path) -> None:
    plan = tmp_path / "made.plan"
    board.build(FLOAT, plan, "--precision", "fp32")
    path = passport.passport_path(plan)
    data = json.loads(path.read_text(encoding="utf-8"))
    del data["golden"]
    path.write_text(json.dumps(data), encoding="utf-8")
    Detector.open(plan).close()


def test_without_onnxruntime_the_reason_is_said(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*arguments: object) -> Detector:
        raise BackendUnavailable("onnxruntime is not installed", hint="pip install onnxruntime")

    monkeypatch.setattr(reference, "opened", away)
    plan = tmp_path / "made.plan"
    notes = board.build(FLOAT, plan, "--precision", "fp32")
    assert "the plan gets no golden frames: onnxruntime is not installed" in notes
    about = passport.read_passport(plan)
    assert about is not None and about.golden == {"reason": "onnxruntime is not installed"}
    with Detector.open(plan) as detector:
        assert "it has no golden frames: onnxruntime is not installed" in detector.model.notes
