"""Evaluation: a detector that answers with known boxes gets the marks that they deserve."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_runtime.accuracy import evaluate
from edge_runtime.backends import BackendOptions
from edge_runtime.datasets import Dataset
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import DatasetError
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.types import Truth
from tests.tiny import boxes_v8, write_onnx

FLAGS = ModelFlags(family="yolo_v8", labels="person,motorcycle,unicorn")


def detector(tmp_path, **thresholds) -> Detector:
    """Finds a motorcycle on the right and a unicorn on the left of every image."""
    path = write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((48, 32, 20, 20, 0.9, 1), (10, 32, 8, 8, 0.8, 2))})
    return Detector.open(path, flags=FLAGS, options=BackendOptions(threads=1), conf=0.005, **thresholds)


def dataset(tmp_path, labels=("motorbike", "person"), **more) -> Dataset:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        cv2.imwrite(str(path), np.zeros((64, 64, 3), np.uint8))
    box = Truth(np.array([[38.0, 22.0, 58.0, 42.0]]), np.array([0]), np.array([False]))
    return Dataset("three", tuple(map(str, paths)), (box,) * 3, labels, **more)


def test_right_boxes_under_another_name(tmp_path):
    with detector(tmp_path) as opened:
        result = evaluate.evaluate(opened, dataset(tmp_path))
    assert result.found.labels == ("motorbike", "person")
    assert result.voc07_11pt == result.voc_allpoint == pytest.approx(1.0)
    assert result.coco_101["AP"] == pytest.approx(1.0) and result.found.fps > 0
    assert [row["label"] for row in result.classes()] == ["motorbike"], "classes without objects are left out"
    assert any("1 classes of the model are not in the data" in note for note in result.found.notes)
    summary = result.summary()
    assert summary["images"] == 3 and summary["objects"] == 3
    assert set(summary["coco_101"]) == {"AP", "AP50", "AP75", "APs", "APm", "APl"}


def test_fractions_become_pixels_of_each_image(tmp_path):
    data = dataset(tmp_path, relative=True)
    scaled = tuple(Truth(truth.xyxy / 64, truth.class_id, truth.difficult) for truth in data.truths)
    with detector(tmp_path) as opened:
        found = evaluate.detect(opened, Dataset("three", data.paths, scaled, data.labels, relative=True))
    np.testing.assert_allclose(found.truths[2].xyxy, data.truths[2].xyxy)
    assert evaluate.measure(found).voc07_11pt == pytest.approx(1.0)


def test_unreadable_images_count_as_nothing_found_and_are_named(tmp_path):
    data = dataset(tmp_path)
    with open(data.paths[1], "w", encoding="utf-8") as file:
        file.write("not a picture")
    with detector(tmp_path) as opened:
        result = evaluate.evaluate(opened, data)
    assert result.voc_allpoint == pytest.approx(2 / 3)
    assert any("1.png" in note for note in result.found.notes)


def test_classes_asked_for(tmp_path):
    with detector(tmp_path, classes=["person"]) as opened:
        result = evaluate.evaluate(opened, dataset(tmp_path))
    assert result.found.labels == ("person",) and result.summary()["objects"] == 0


def test_nothing_in_common(tmp_path):
    with detector(tmp_path) as opened, pytest.raises(DatasetError, match="share no class"):
        evaluate.evaluate(opened, dataset(tmp_path, labels=("tree", "house")))


def test_numbers_without_names_are_the_models(tmp_path):
    with detector(tmp_path) as opened:
        result = evaluate.evaluate(opened, dataset(tmp_path, labels=()))
    assert result.found.labels[0] == "person" and result.voc07_11pt == 0.0


@pytest.mark.parametrize(("one", "other"), [("TV monitor", "tv"), ("tvmonitor", "tv"), ("Dining_Table", "diningtable"),
                                            ("potted-plant", "pottedplant"), ("Cell Phone", "cell phone")])  # fmt: skip
def test_dialects(one, other):
    assert evaluate.canonical(one) == evaluate.canonical(other)
