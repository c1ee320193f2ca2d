"""Plans of edge-build --batch N run 1 to N pictures, and find in each what it holds alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, List

import numpy as np
import onnx
import pytest

from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.gpu import passport
from edge_runtime.graph.batch import open_batch
from edge_runtime.imaging.picture import to_bgr
from edge_runtime.loop.pipeline import Pipeline
from tests.loop.test_batches import Moving
from tests.models import MODELS, PICTURES
from tests.standins.board import Board

pytest.importorskip("onnxruntime")
MODEL, CONF = MODELS / "yolo_v5.onnx", 0.1


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan for up to 3 pictures."""
    path = tmp_path_factory.mktemp("built") / "m.plan"
    with pytest.MonkeyPatch.context() as patch:
        Board(patch).build(MODEL, path, "--batch", "3", "--precision", "fp32")
    return path


@pytest.fixture
def plan(built: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The machine, and its plan."""
    return Board(monkeypatch), built


def boxes(detector: Detector, pictures: List[np.ndarray]) -> List[List[List[float]]]:
    detector.backend.enqueue(0, pictures)
    rows, counts = detector.backend.wait(0)
    return [rows[k, : counts[k]].round(2).tolist() for k in range(len(pictures))]


@pytest.mark.parametrize("graphs", [True, False])
def test_any_number_of_pictures_finds_what_each_finds_alone(graphs: bool, plan: Any) -> None:
    board, path = plan
    board.gpu.refuses_graphs = not graphs
    pictures = [to_bgr(str(picture)) for picture in PICTURES]
    with Detector.open(MODEL, backend="onnxruntime", threads=1, conf=CONF) as host:
        alone = [boxes(host, [picture])[0] for picture in pictures]
    assert sum(map(len, alone)) > 3
    with Detector.open(path, conf=CONF) as detector:
        assert detector.backend.batch == 3 and detector.backend.splits
        for count in (3, 1, 2, 1, 3):
            for found, expected in zip(boxes(detector, pictures[:count]), alone):
                np.testing.assert_allclose(found, expected, atol=0.02)
        np.testing.assert_allclose(boxes(detector, pictures[2:])[0], alone[2], atol=0.02)


def test_one_picture_costs_one_picture(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    path, sizes = plan[1], []
    run = onnxruntime.InferenceSession.run

    def noted(self: Any, names: Any, feeds: Any) -> Any:
        sizes.append(len(next(iter(feeds.values()))))
        return run(self, names, feeds)

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", noted)
    with Detector.open(path, slots=1, conf=CONF) as detector:
        sizes.clear()
        for count in (1, 2, 3, 1):
            boxes(detector, [to_bgr(str(picture)) for picture in PICTURES[:count]])
    assert sizes == [1, 3, 3, 1]


def test_the_passport_says_it_and_a_larger_batch_is_refused(plan: Any) -> None:
    path = plan[1]
    about = passport.read_passport(path)
    assert about is not None and (about.least_batch, about.io.input_shape[0]) == (1, 3)
    with Detector.open(path, batch=2) as detector:
        assert detector.backend.batch == 2
    with pytest.raises(UsageError, match="not built for 4 pictures at once") as caught:
        Detector.open(path, batch=4)
    assert "edge-build --batch 4" in str(caught.value.hint)
    older = json.loads(passport.passport_path(path).read_text(encoding="utf-8"))
    del older["least_batch"]
    assert passport.Passport.from_json(json.dumps(older)).least_batch == 3, "plans of older versions ran full batches"


def test_several_streams_fill_its_batches(plan: Any) -> None:
    sources = [Moving(6, 0), Moving(4, 1)]
    with Detector.open(plan[1], conf=CONF) as detector:
        found = {name: each["detections"] for name, each in Pipeline(detector, sources).run()["streams"].items()}
    with Detector.open(MODEL, backend="onnxruntime", threads=1, conf=CONF) as host:
        sources = [Moving(6, 0), Moving(4, 1)]
        alone = {name: each["detections"] for name, each in Pipeline(host, sources).run()["streams"].items()}
    assert found == alone and any(found.values())


@pytest.mark.parametrize("version", ["8.4", "8.5"])
@pytest.mark.parametrize("is_open", [True, False])
def test_before_version_10_a_plan_runs_full_batches_in_all_its_slots(
    is_open: bool, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There an optimisation profile serves one context, and each slot has its own."""
    network = onnx.load(str(MODEL))
    onnx.save(open_batch(network) if is_open else network, str(tmp_path / "m.onnx"))
    path = tmp_path / "m.plan"
    Board(monkeypatch, version).build(tmp_path / "m.onnx", path, "--batch", "3", "--precision", "fp32")
    about = passport.read_passport(path)
    assert about is not None and about.least_batch == 3
    pictures = [to_bgr(str(picture)) for picture in PICTURES]
    with Detector.open(path, slots=2, conf=CONF) as detector, Detector.open(MODEL, threads=1, conf=CONF) as host:
        assert (detector.backend.slots, detector.backend.batch) == (2, 3)
        for found, picture in zip(boxes(detector, pictures), pictures):
            np.testing.assert_allclose(found, boxes(host, [picture])[0], atol=0.02)


def test_before_version_10_an_open_plan_of_others_runs_in_one_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(monkeypatch, "8.5")
    onnx.save(open_batch(onnx.load(str(MODEL))), str(tmp_path / "m.onnx"))
    board.build_elsewhere(tmp_path / "m.onnx", tmp_path / "m.plan")
    with Detector.open(tmp_path / "m.plan", family="yolo_v5", imgsz=128, slots=1, batch=2) as detector:
        assert detector.backend.batch == 2
    with pytest.raises(UsageError, match="with TensorRT 8 an open batch runs in one slot only") as caught:
        Detector.open(tmp_path / "m.plan", family="yolo_v5", imgsz=128, slots=2, batch=2)
    assert "edge-build" in str(caught.value.hint)


def test_a_network_that_cannot_be_opened_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = onnx.load(str(MODEL))
    made = model.graph.output[0].name
    model.graph.node.append(onnx.helper.make_node("ReduceMax", [made], ["best"], keepdims=1))
    model.graph.node.append(onnx.helper.make_node("Min", [made, "best"], ["found"]))
    model.graph.output[0].name = "found"
    onnx.save(model, str(tmp_path / "mixes.onnx"))
    with pytest.raises(ModelError, match="ReduceMax best may mix the pictures"):
        Board(monkeypatch).build(tmp_path / "mixes.onnx", tmp_path / "m.plan", "--batch", "2", "--precision", "fp32")
    assert not (tmp_path / "m.plan").exists()
