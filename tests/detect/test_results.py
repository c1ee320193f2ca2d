"""What contradicts the family is an error and never a result; the small excess of INT8 files becomes 1."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import List

import numpy as np
import pytest

from edge_runtime import Pipeline
from edge_runtime.detect.detector import Detector
from edge_runtime.detect.results import checked
from edge_runtime.detect.understand import understand
from edge_runtime.errors import ModelError
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import ModelIO
from tests.tiny import boxes_v8, write_onnx

pytest.importorskip("onnxruntime")
MODEL = understand("m.onnx", ModelIO("images", (1, 3, 64, 64), {"out": (1, 7, 84)}), ModelFlags(family="yolo_v8"))
WIDE = (640, 320)  # ten image pixels for one of the model


def rows(*some: List[float]) -> np.ndarray:
    return np.array(some, np.float32).reshape(-1, 6)


FINE = {
    "none": rows(),
    "a box": rows([1, 1, 200, 200, 1.0, 0]),
    "a small box beside a large one": rows([300, 100, 305, 105, 0.9, 0], [300, 100, 400, 200, 0.8, 0]),
    "what is left of a box at the border": rows([0, 100, 4, 104, 0.9, 0]),
    "and at the other": rows([637, 317, 640, 320, 0.9, 0]),
}


@pytest.mark.parametrize("found", FINE.values(), ids=FINE.keys())
def test_what_is_possible_is_left_as_it_is(found: np.ndarray) -> None:
    assert checked(found, MODEL, WIDE) is found


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (rows([1, 1, 200, 200, 12.5, 0]), "a score would be 12.5"),
        (rows([3, 2, 7, 7, 0.9, 0]), "every box would be smaller than a pixel"),
        (rows([3, 2, 7, 7, 0.9, 0], [300, 100, 305, 105, 0.3, 0]), "every box would be smaller than a pixel"),
    ],
)
def test_what_is_impossible_names_the_family_and_the_way_out(found: np.ndarray, said: str) -> None:
    with pytest.raises(ModelError, match=f"m.onnx contradict the family yolo_v8: {said}") as caught:
        checked(found, MODEL, WIDE)
    assert "edge-identify" in str(caught.value.hint) and "--family" in str(caught.value.hint)


def test_the_layout_is_named_too() -> None:
    spec = replace(MODEL.spec, head_layout=("fraction",))
    with pytest.raises(ModelError, match="yolo_v8 --head-layout fraction: a score"):
        checked(rows([1, 1, 2, 2, 7, 0]), replace(MODEL, spec=spec), WIDE)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_the_excess_of_int8_files_becomes_1_and_logits_are_an_error(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    image = np.zeros((64, 64, 3), np.uint8)

    def opened(name: str, *scores: float) -> Detector:
        boxes = boxes_v8(*((32, 8 + 16 * k, 20, 6, score, 1) for k, score in enumerate(scores)))
        path = write_onnx(tmp_path / name, {"output0": boxes})
        return Detector.open(path, family="yolo_v8", conf=0.5, backend=backend, threads=1)

    with opened("int8.onnx", 1.2531321, 0.9) as detector:
        assert detector(image).confidence.tolist() == [1.0, pytest.approx(0.9)]
    with opened("logits.onnx", 0.9, 4.5) as detector, pytest.raises(ModelError, match="a score would be"):
        detector(image)


def test_a_pipeline_ends_with_the_same_error(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", {"output0": boxes_v8((0.5, 0.5, 0.3, 0.3, 0.9, 1))})
    said = pytest.raises(ModelError, match="every box would be smaller than a pixel")
    with Detector.open(path, family="yolo_v8", threads=1) as detector, said:
        Pipeline(detector, ["synthetic://64x64"], [], max_frames=3).run()


def test_an_int8_file_of_the_field_never_exceeds_1(shared: Path) -> None:
    path = shared / "models" / "yolo11" / "yolo11n_320_int8qdq.onnx"
    with Detector.open(path, conf=0.3, threads=1) as detector:
        found = detector(str(sorted((shared / "data" / "coco128" / "images").rglob("*.jpg"))[0]))
    assert len(found) and found.confidence.max() == 1.0
