"""When two detectors find the same, and the network that stands in for the shipped one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.backends import BackendOptions
from edge_runtime.detect.detector import Detector
from edge_runtime.prove import agree, shipped
from edge_runtime.prove.agree import Limits
from edge_runtime.types import Detections

LIMITS = Limits(0.9, 0.03)
ROW = (10.0, 10.0, 60.0, 60.0, 0.5, 1.0)


def boxes(*rows) -> Detections:
    return Detections.from_rows(np.array(rows, np.float32).reshape(-1, 6), ("a", "b"))


def changed(**change: float) -> Detections:
    names = ("x1", "y1", "x2", "y2", "score", "class_id")
    return boxes(tuple(change.get(name, value) for name, value in zip(names, ROW)))


@pytest.mark.parametrize(
    ("found", "alone"),
    [
        (changed(), 0),
        (changed(x2=61.0, score=0.52), 0),
        (changed(x2=70.0), 2),
        (changed(score=0.54), 2),
        (changed(class_id=0.0), 2),
        (boxes(), 1),
        (boxes(ROW, (0.0, 0.0, 9.0, 9.0, 0.3, 0.0)), 1),
        (boxes(ROW, (0.0, 0.0, 9.0, 9.0, 0.09, 0.0)), 0),  # too weak to count
    ],
)
def test_boxes_have_partners(found, alone):
    agreement = agree.compare_boxes([boxes(ROW)], [found], LIMITS)
    assert (agreement.boxes, agreement.alone, agreement.within(LIMITS)) == (1, alone, alone == 0)


def test_a_share_may_have_none():
    agreement = agree.compare_boxes([boxes(*[ROW] * 10)], [boxes(*[ROW] * 10, (0.0, 0.0, 9.0, 9.0, 0.3, 0.0))], LIMITS)
    assert agreement.alone == 1 and not agreement.within(LIMITS) and agreement.within(Limits(0.9, 0.03, 0.05))


def test_the_shipped_model_is_sure_of_objects_in_every_picture():
    model, pictures = shipped.find_models(Path("/nowhere")), shipped.pictures()
    assert not model.random
    assert len({picture.shape for picture in pictures}) == len(pictures), "each has other bars or another scale"
    for path in (model.path, model.int8):
        with Detector.open(path, options=BackendOptions("onnxruntime"), conf=0.5) as detector:
            found = [sorted(detector.model.spec.labels[i] for i in detector(picture).class_id) for picture in pictures]
        assert found[0] == ["cat", "cat", "person", "person"] and found[1] == ["cat", "person"]
        assert set(found[2]) == {"person"} and found[3] == ["cat"]


def test_where_it_is_not_a_network_of_the_zoo_is_said_and_used(tmp_path):
    model = shipped.find_models(tmp_path, tmp_path / "none")
    assert model.random and "yolo_nano_voc is not here" in model.name
    for path in (model.path, model.int8):
        with Detector.open(path, options=BackendOptions("onnxruntime"), conf=0.1) as detector:
            assert len(detector(shipped.pictures()[0]))
    before = Path(model.int8).stat().st_mtime_ns
    assert shipped.find_models(tmp_path, tmp_path / "none") == model and Path(model.int8).stat().st_mtime_ns == before
