"""A head that describes nothing is decoded in numpy: the same boxes as by the native decoder, more slowly."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import numpy as np
import pytest

from edge_runtime import heads
from edge_runtime.detect.detector import Detector
from edge_runtime.detect.numpy_decode import NumpyDecoded
from edge_runtime.imaging.picture import to_bgr, write_picture
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.types import Detections
from tests.models import FLOAT, MODELS, PICTURES
from tests.scenes import assert_same

pytest.importorskip("onnxruntime")
FLAGS: Any = {"threads": 1, "conf": 0.1, "max_det": 500}


def rows(found: Detections) -> np.ndarray:
    return np.column_stack([found.xyxy, found.confidence, found.class_id])


@pytest.fixture
def undescribed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads as a user may add one: without `describe`'s answer."""
    for path in FLOAT:
        monkeypatch.setattr(heads.load_head(path.stem), "describe", lambda io, spec: None)


@pytest.fixture
def native() -> List[np.ndarray]:
    """What the native decoder finds, family by family."""
    found = []
    for path in FLOAT:
        with Detector.open(path, **{**FLAGS, "iou": 1.0}) as detector:
            found.append(rows(detector(PICTURES[0])))
    return found


def test_every_family_has_the_same_boxes(native: List[np.ndarray], undescribed: None) -> None:
    for path, want in zip(FLOAT, native):
        with Detector.open(path, **{**FLAGS, "iou": 1.0}) as detector:
            assert isinstance(detector.backend, NumpyDecoded) and "decoded in numpy" in detector.backend.description
            assert len(want) > 2
            assert_same([rows(detector(PICTURES[0]))], [want])


def test_classes_and_limits_are_kept(undescribed: None) -> None:
    with Detector.open(MODELS / "yolo_v3.onnx", threads=1, conf=0.1, max_det=4, classes="dog") as detector:
        found = detector(PICTURES[0])
    assert 0 < len(found) <= 4 and {box.label for box in found} == {"dog"}


def test_it_runs_in_a_pipeline(undescribed: None, tmp_path: Path) -> None:
    """Two batches are in flight, of pictures of several sizes."""
    for number, path in enumerate(PICTURES):
        write_picture(tmp_path / path.name, to_bgr(path)[: 90 - 20 * number])
    with Detector.open(MODELS / "nanodet.onnx", threads=1, conf=0.1, slots=2) as detector:
        alone = [detector(path) for path in sorted(tmp_path.iterdir())]
        with Pipeline(detector, str(tmp_path)) as pipeline:
            together = [(result.detections, dict(result.stage_ms)) for result in pipeline]
    assert [rows(found).tolist() for found, _ in together] == [rows(found).tolist() for found in alone]
    assert all({"preprocess", "inference"} <= set(stages) for _, stages in together)
