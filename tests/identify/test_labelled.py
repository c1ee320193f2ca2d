"""The judge of labelled pictures gives the AP that the evaluation gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import boxes_v8, write_onnx

from edge_runtime.accuracy import coco
from edge_runtime.datasets import Dataset
from edge_runtime.identify.candidates import candidates, read_model
from edge_runtime.identify.labelled import Labelled
from edge_runtime.identify.views import View
from edge_runtime.model import onnx_file
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.types import Truth

pytest.importorskip("pycocotools")
NAMES = ("a", "b", "c")


def judged(tmp_path: Path, data_names: tuple, numbers: list, relative: bool = False) -> tuple:
    path = write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 20, 20, 0.9, 1))})
    flags = ModelFlags(family="yolo_v8", labels=NAMES)
    candidate = candidates(read_model(path, onnx_file.read_io, flags), flags, True)[0]
    box = np.array([[10.0, 10, 50, 50]]) / (64 if relative else 1)
    truths = tuple(Truth(box, np.array([number]), np.zeros(1, bool)) for number in numbers)
    data = Dataset("d", tuple(map(str, range(len(numbers)))), truths, data_names, relative)
    return Labelled(data), candidate


def test_ap_is_that_of_the_evaluation(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    judge, candidate = judged(tmp_path, ("c", "b", "a"), [0, 2, 2, 0, 0])
    view, weighed, rows = View(np.zeros((64, 64, 3), np.uint8)), [], []
    for picture in range(5):
        boxes = np.array([[10, 10, 50, 50]] * 6) + random.normal(0, 3, (6, 4))
        found = np.c_[boxes, random.random(6), random.integers(0, 3, 6)].astype(np.float32)
        weighed.append(judge.weigh(picture, candidate, [view], [found]))
        rows.append(np.c_[found[:, :5], 2 - found[:, 5]].astype(np.float32))  # the names are the other way round
    truths = [truth for _, truth in weighed]
    figures, _ = coco.average_precision(rows, truths, 3)
    assert 0.1 < figures["AP"] < 0.9 and judge.score(candidate, weighed) == pytest.approx(figures["AP"])


def test_boxes_that_are_parts_of_the_picture(tmp_path: Path) -> None:
    judge, candidate = judged(tmp_path, NAMES, [1], relative=True)
    found = np.array([[10, 10, 50, 50, 0.9, 1]], np.float32)
    weighed = [judge.weigh(0, candidate, [View(np.zeros((64, 64, 3), np.uint8))], [found])]
    assert judge.score(candidate, weighed) == pytest.approx(1.0)


def test_no_class_in_common_is_no_precision(tmp_path: Path) -> None:
    judge, candidate = judged(tmp_path, ("x", "y"), [0, 1])
    found = np.array([[10, 10, 50, 50, 0.9, 1]], np.float32)
    weighed = [judge.weigh(0, candidate, [View(np.zeros((64, 64, 3), np.uint8))], [found])]
    assert judge.score(candidate, weighed) == 0.0
