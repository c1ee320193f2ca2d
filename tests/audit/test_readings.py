"""Readings: each of the others gives other boxes, and places go where they say."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime import plugins
from edge_runtime.audit import readings
from edge_runtime.audit.places import PLACES
from edge_runtime.audit.preparations import Placement, Preparation
from edge_runtime.audit.readings import Reading
from edge_runtime.detect import understand
from edge_runtime.identify.network import Network
from edge_runtime.imaging import image_file
from edge_runtime.model.recipe import ModelFlags
from tests.models import MODELS, PICTURES

pytest.importorskip("onnxruntime")
MEMBER = plugins.load_member("backends", "onnxruntime")
PLACED = Placement((0.5, 0.5), (0.0, 20.0), (200, 120))  # a picture of 200 x 120 in the middle of 100 x 100
ROW = np.array([[10, 30, 30, 50, 0.9, 1]], np.float32)  # 20, 20, 60, 60 in the picture


@pytest.mark.parametrize(
    ("words", "corners"),
    [
        ("boxes in pixels of the input, not scaled back to the picture", (10, 30, 30, 50)),
        ("boxes scaled back as if the picture were stretched", (20, 36, 60, 60)),
        ("boxes scaled back without their padding taken off", (20, 60, 60, 100)),
        ("boxes scaled back as if the picture lay in the middle", (20, 20, 60, 60)),
        ("boxes of 0..1 of the input", (0.1, 0.3, 0.3, 0.5)),
        ("boxes of 0..1 of the picture", (0.1, 1 / 6, 0.3, 0.5)),
        ("boxes as corner and size where corners are meant", (20, 20, 40, 40)),
        ("boxes as centre and size where corners are meant", (40, 40, 40, 40)),
        ("x and y in each other's place", (20, 20, 60, 60)),
    ],
)
def test_places(words: str, corners: tuple) -> None:
    found = PLACES[words](ROW, PLACED, (100, 100))
    assert found[0, :4].tolist() == pytest.approx(corners, abs=1e-4) and found[0, 4:].tolist() == ROW[0, 4:].tolist()


@pytest.mark.parametrize(
    "name", ["yolo_v3", "yolo_v8", "yolox", "nanodet", "ssd", "yolo_v5", "fastestdet", "blazeface"]
)
def test_other_readings_are_other_boxes(name: str) -> None:
    """On a network of random weights: every reading can be run, and each changes what is found."""
    path = str(MODELS / f"{name}.onnx")
    model = understand.describe(path, MEMBER.read_io, ModelFlags())
    image = np.ascontiguousarray(image_file.read_image(str(PICTURES[0]))[:80, :120])
    preparation, known = Preparation(model.spec), Reading(model)
    outputs = Network(path, model.io, 1).run_on(preparation.tensor(image))
    placed = preparation.placed(image)
    own = known.candidates(known.reader(), outputs, placed, 0.05, True)
    assert len(own)
    found = readings.others(known, MEMBER.read_io)
    assert len({each.words for each in found}) == len(found) > len(PLACES)
    same = [each.words for each in found if _equal(own, each.candidates(each.reader(), outputs, placed, 0.05, True))]
    square = {words for words in PLACES if "as if the picture" in words or "without their padding" in words}
    assert not set(same) - square, "in a letterbox at the top left, or stretched, some ways are one"


def _equal(first: np.ndarray, second: np.ndarray) -> bool:
    return first.shape == second.shape and bool(np.allclose(first, second, atol=1e-3))
