"""Pose and segmentation files give their boxes; oriented boxes are refused, also where the metadata were lost."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Optional, Tuple

import numpy as np
import pytest

from edge_runtime.detect.detector import Detector
from edge_runtime.detect.understand import understand
from edge_runtime.errors import EdgeError, ModelError, SpecError
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import METADATA_KEY, ModelIO
from tests.tiny import write_onnx

pytest.importorskip("onnxruntime")
SIDE, CELLS = 640, 8400
BOX, CENTRE = (100.0, 150.0, 300.0, 400.0), (200.0, 275.0, 200.0, 250.0)
DOG, SCORE = 16, 0.9
COCO = str({number: f"n{number}" for number in range(80)})
Outputs = Dict[str, np.ndarray]


def rows(*values: float, columns: int, count: int = CELLS, noise: float = 0.0) -> np.ndarray:
    """Zeros but for one row, and random boxes with values after them where `noise` is above 0."""
    chance = np.random.default_rng(3)
    table = np.zeros((1, count, columns), np.float32)
    table[0, :, :2], table[0, :, 2:4] = chance.uniform(50, 590, (count, 2)), 9
    if noise:
        table[0, :, -1] = chance.normal(0.7, noise, count).clip(-0.7, 2.3)
    table[0, count // 2, : len(values)] = values
    return table


def score_of(number: int, count: int = 80) -> Tuple[float, ...]:
    return tuple(SCORE if k == number else 0.0 for k in range(count))


KEYPOINTS = (180.0, 250.0, 0.8) * 17
MASK = tuple(np.linspace(-2, 2, 32))
PROTOS = np.full((1, 32, 160, 160), 0.5, np.float32)


def planar(table: np.ndarray) -> np.ndarray:
    return table.transpose(0, 2, 1).copy()


def finished(*more: float, number: float = DOG, count: int = 300) -> np.ndarray:
    """End-to-end rows, best first."""
    table = np.zeros((1, count, 6 + len(more)), np.float32)
    table[0, 1:, 4] = np.linspace(0.02, 0.001, count - 1)
    table[0, 0] = (*BOX, SCORE, number, *more)
    return table


pose = planar(rows(*CENTRE, SCORE, *KEYPOINTS, columns=56))
POSE_META = {"author": "Ultralytics", "task": "pose", "names": "{0: 'person'}", "kpt_shape": "[17, 3]"}
FACES = planar(rows(*CENTRE, 0, SCORE, *(180.0, 250.0) * 5, columns=16))
SEGMENTS = planar(rows(*CENTRE, *score_of(DOG), *MASK, columns=116))
V5_SEGMENTS = rows(*CENTRE, 0.95, *score_of(DOG), *MASK, columns=117, count=25200)
SEGMENT_META = {"author": "Ultralytics", "task": "segment", "names": COCO}
READ: Dict[str, Tuple[Outputs, Optional[Dict[str, str]], str, str, str]] = {
    "pose": ({"output0": pose}, POSE_META, "yolo_v8", "person", "keypoints"),
    "pose, transposed": ({"output0": planar(pose)}, POSE_META, "yolo_v8", "person", "keypoints"),
    "pose of two classes, five points": (
        {"output0": FACES},
        {**POSE_META, "names": "['a', 'b']", "kpt_shape": "[5, 2]"},
        "yolo_v8", "b", "keypoints",
    ),
    "pose without metadata": ({"output0": pose}, None, "yolo_v8", "person", "channels after the classes"),
    "pose with the name of its class": ({"output0": pose}, {"names": "['p']"}, "yolo_v8", "p", "channels"),
    "pose of YOLOv7 without metadata": (
        {"output": rows(*CENTRE, 0.95, SCORE, *KEYPOINTS, columns=57, count=25200)},
        None, "yolo_v5", "person", "channels",
    ),
    "pose, end to end": ({"output0": finished(*KEYPOINTS, number=0)}, POSE_META, "yolo_v10", "person", "keypoints"),
    "pose, end to end, without metadata": (
        {"output0": finished(*KEYPOINTS, number=0)}, None, "yolo_v10", "person", "channels",
    ),
    "segments": ({"output0": SEGMENTS, "output1": PROTOS}, SEGMENT_META, "yolo_v8", "n16", "masks"),
    "segments, masks first": ({"output1": PROTOS, "output0": SEGMENTS}, SEGMENT_META, "yolo_v8", "n16", "masks"),
    "segments without metadata": ({"output0": SEGMENTS, "output1": PROTOS}, None, "yolo_v8", "dog", "masks"),
    "segments of YOLOv5": ({"output0": V5_SEGMENTS, "output1": PROTOS}, {"names": COCO}, "yolo_v5", "n16", "masks"),
    "segments of YOLOv5 without metadata": (
        {"output0": V5_SEGMENTS, "output1": PROTOS}, None, "yolo_v5", "dog", "masks",
    ),
    "segments, end to end": (
        {"output0": finished(*MASK), "output1": PROTOS}, SEGMENT_META, "yolo_v10", "n16", "masks",
    ),
    "segments, end to end, without metadata": (
        {"output0": finished(*MASK), "output1": PROTOS}, None, "yolo_v10", "dog", "masks",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("outputs", "metadata", "family", "label", "left_out"), READ.values(), ids=READ.keys())
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_boxes_are_read_and_the_rest_is_said_to_be_left_out(
    outputs, metadata, family: str, label: str, left_out: str, backend: str, tmp_path: Path
) -> None:
    pytest.importorskip(backend)
    path = write_onnx(tmp_path / "m.onnx", outputs, (1, 3, SIDE, SIDE), metadata)
    with Detector.open(path, conf=0.5, backend=backend, threads=1) as detector:
        spec = detector.model.spec
        assert (spec.family, spec.head_layout) == (family, ("extra",))
        (found,) = detector(np.zeros((SIDE, SIDE, 3), np.uint8))
        assert found.label == label and found.confidence == pytest.approx(0.9, abs=0.05)
        assert found.xyxy == pytest.approx(BOX, abs=0.5)
        said = [note for note in detector.model.notes if "only the boxes are read" in note]
        assert len(said) == 1 and left_out in said[0]
        stamped = {METADATA_KEY: spec.to_json()}
    again = write_onnx(tmp_path / "stamped.onnx", outputs, (1, 3, SIDE, SIDE), stamped)
    with Detector.open(again, conf=0.5, backend=backend, threads=1) as detector:
        assert detector.model.spec == spec and detector.model.certain
        assert [box.xyxy for box in detector(np.zeros((SIDE, SIDE, 3), np.uint8))] == [found.xyxy]


@pytest.mark.parametrize("flags", [ModelFlags(), ModelFlags(family="yolo_v8")])
def test_a_user_may_say_it(flags: ModelFlags) -> None:
    io = ModelIO("images", (1, 3, SIDE, SIDE), {"out": (1, 4 + 3 + 10, CELLS)})
    told = ModelFlags(labels=("a", "b", "c"), head_layout=("extra",)).over(flags)
    model = understand("m.onnx", io, told)
    assert model.spec.family == "yolo_v8" and model.decode is not None and model.decode.num_classes == 3
    with pytest.raises(SpecError, match="how many are classes is not known") as caught:
        understand("m.onnx", io, ModelFlags(head_layout=("extra",)).over(flags))
    assert "--labels" in str(caught.value.hint)
    with pytest.raises(EdgeError):
        understand("m.onnx", io, ModelFlags(labels=("a",) * 13, head_layout=("extra",)).over(flags))


def test_52_classes_are_no_pose(tmp_path: Path) -> None:
    table = planar(rows(*CENTRE, *score_of(7, 52), columns=56))
    path = write_onnx(tmp_path / "m.onnx", {"output0": table}, (1, 3, SIDE, SIDE))
    with Detector.open(path, conf=0.5, threads=1) as detector:
        assert detector.model.spec.head_layout == () and len(detector.model.spec.labels) == 52
        assert [box.class_id for box in detector(np.zeros((SIDE, SIDE, 3), np.uint8))] == [7]


def test_another_number_of_names_is_an_error_with_both_numbers() -> None:
    io = ModelIO("images", (1, 3, SIDE, SIDE), {"out": (1, 56, CELLS)}, {**POSE_META, "names": "['a', 'b', 'c']"})
    with pytest.raises(SpecError, match="1 classes, and 'names' in the file's metadata names 3"):
        understand("m.onnx", io)
    raw = {f"p{s}": (1, 65, s, s) for s in (80, 40, 20)}
    with pytest.raises(SpecError, match="no decoded rows") as caught:
        understand("m.onnx", ModelIO("images", (1, 3, SIDE, SIDE), raw, POSE_META))
    assert "yolo export" in str(caught.value.hint)


@pytest.mark.parametrize("task", ["obb", "classify", "semantic", "depth"])
def test_tasks_without_upright_boxes_are_refused_by_their_name(task: str) -> None:
    io = ModelIO("images", (1, 3, SIDE, SIDE), {"out": (1, 20, CELLS)}, {"task": task, "names": str(["x"] * 15)})
    with pytest.raises(ModelError, match=f"made for the task '{task}'") as caught:
        understand("m.onnx", io)
    assert "yolo export model=" in str(caught.value.hint)


def turned(columns: int, angle_of_all: float) -> np.ndarray:
    """Oriented boxes of DOTA; the angle follows the classes."""
    table = rows(*CENTRE, *score_of(3, columns - 5), 0.5, columns=columns, noise=0.3)
    table[0, :, -1] *= angle_of_all
    return planar(table)


ORIENTED = {
    "fifteen classes": turned(20, 1.0),
    "one class": turned(6, 1.0),
    "angles of little spread": turned(20, 0.5),
    "negative angles": turned(20, -0.5),
    "end to end": finished(0.5),
    "end to end, one class": finished(0.5, number=0),
}


@pytest.mark.parametrize("table", ORIENTED.values(), ids=ORIENTED.keys())
def test_oriented_boxes_without_metadata_are_never_a_class_more(table: np.ndarray, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", {"output0": table}, (1, 3, SIDE, SIDE))
    with pytest.raises(ModelError, match="an angle, as oriented boxes have") as caught:
        Detector.open(path, threads=1)
    assert "upright" in str(caught.value.hint)
