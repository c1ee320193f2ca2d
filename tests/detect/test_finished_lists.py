"""Lists of objects, second inputs and channels last, from the file to the boxes, as exporters write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np
import pytest
from onnx import TensorProto, helper

from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError, SpecError, UsageError
from tests.exporters import write_export, write_graph, write_suppressing

pytest.importorskip("onnxruntime")
BOX = np.array([100, 150, 300, 400], np.float32)
DOG, SCORE, SIDE = 16, 0.9, 640
BACKENDS = ["onnxruntime", "openvino"]


def filled(shape: Tuple[int, ...], row: Any, dtype: str = "float32", empty: float = 0) -> np.ndarray:
    """An output of empty rows, but for the first."""
    array = np.full(shape, empty, dtype)
    array.reshape(-1, *shape[2:])[0] = row
    return array


def parts(rows: int, empty: float = 0) -> Dict[str, np.ndarray]:
    return {
        "boxes": filled((1, rows, 4), BOX, empty=empty),
        "scores": filled((1, rows), SCORE, empty=empty),
        "classes": filled((1, rows), DOG, "int64", empty),
    }


def named(outputs: Dict[str, np.ndarray], **names: str) -> Dict[str, np.ndarray]:
    return {new: outputs[old] for new, old in names.items()}


def tensorflow() -> Dict[str, np.ndarray]:
    y_first = BOX[[1, 0, 3, 2]] / SIDE
    return {
        "detection_anchor_indices": np.zeros((1, 100), np.float32),
        "detection_boxes": filled((1, 100, 4), y_first),
        "detection_classes": filled((1, 100), 18),
        "detection_multiclass_scores": np.zeros((1, 100, 91), np.float32),
        "detection_scores": filled((1, 100), SCORE),
        "num_detections": np.array([100], np.float32),
        "raw_detection_boxes": np.ones((1, 1917, 4), np.float32),
        "raw_detection_scores": np.ones((1, 1917, 91), np.float32),
    }


def without_batch_axis() -> Dict[str, np.ndarray]:
    return {name: array[0] for name, array in parts(100).items()}


def counted() -> Dict[str, np.ndarray]:
    """The rows after the count are left from another picture."""
    found = parts(100)
    found["scores"][0, 1:], found["boxes"][0, 1:], found["classes"][0, 1:] = 0.8, (10, 10, 200, 200), 3
    return {"num_dets": np.array([[1]], np.int32), **found}


def paddle() -> Dict[str, np.ndarray]:
    return {
        "multiclass_nms3_0.tmp_0": filled((1, 100, 6), (DOG, SCORE, *BOX))[0],
        "multiclass_nms3_0.tmp_2": np.array([1], np.int32),
    }


def hugging_face() -> Dict[str, np.ndarray]:
    """DETR: COCO's ids, and a last class that means "no object"."""
    logits = filled((1, 100, 92), 0, empty=-4)
    logits[0, :, 91], logits[0, 0, [18, 91]] = 6, (7, 0)
    centre = np.concatenate([(BOX[:2] + BOX[2:]) / 2, BOX[2:] - BOX[:2]]) / SIDE
    boxes = np.full((1, 100, 4), 0.3, np.float32)
    boxes[0, 0] = centre
    return {"logits": logits, "pred_boxes": boxes, "last_hidden_state": np.zeros((1, 100, 256), np.float32)}


def old_deepstream() -> Dict[str, np.ndarray]:
    """Every cell has a row, and doubles are not suppressed."""
    found = {
        name: np.repeat(array[..., None] if name != "boxes" else array, 1, 1) for name, array in parts(8400).items()
    }
    for name in found:
        found[name][0, 1] = found[name][0, 0]
    return {**found, "classes": found["classes"].astype(np.float32)}


IMAGE = {"images": (1, 3, SIDE, SIDE)}
SIZES = {"images": ("N", 3, SIDE, SIDE), "orig_target_sizes": ("N", 2)}
OPEN = {"declared": {"output": ["n", 7]}}
FILES: Dict[str, Tuple[Any, Dict[str, Any]]] = {
    "EfficientNMS": (counted, {}),
    "TensorFlow": (tensorflow, {"inputs": {"input:0": (1, SIDE, SIDE, 3)}, "types": {"input:0": "uint8"}}),
    "RT-DETR": (
        lambda: named(parts(300), labels="classes", boxes="boxes", scores="scores"),
        {"inputs": SIZES, "types": {"orig_target_sizes": "int64"}},
    ),
    "YOLO-NAS": (
        lambda: {"graph2_num_predictions": np.array([[1]], np.int64), **parts(1000, empty=-1)},
        {"types": {"images": "uint8"}},
    ),
    "mmdeploy": (
        lambda: {"dets": filled((1, 100, 5), (*BOX, SCORE)), "labels": filled((1, 100), DOG, "int64")},
        {},
    ),
    "PaddleDetection": (
        paddle,
        {
            "inputs": {"im_shape": (1, 2), "image": (1, 3, SIDE, SIDE), "scale_factor": (1, 2)},
            "declared": {"multiclass_nms3_0.tmp_0": ["n", 6], "multiclass_nms3_0.tmp_2": ["b"]},
        },
    ),
    "YOLOv7 --end2end": (lambda: {"output": filled((1, 9, 7), (0, *BOX, DOG, SCORE))[0]}, OPEN),
    "YOLO-NAS flat": (lambda: {"output": filled((1, 9, 7), (0, *BOX, SCORE, DOG))[0]}, OPEN),
    "Caffe": (lambda: {"detection_out": filled((1, 200, 7), (0, DOG, SCORE, *BOX / SIDE))[:, None]}, {}),
    "no batch axis": (without_batch_axis, {}),
    "a list that is not read": (
        lambda: {**without_batch_axis(), "selected_indices": np.zeros((9, 3), np.int64)},
        {"declared": {"boxes": ["n", 4], "scores": ["n"], "classes": ["n"], "selected_indices": ["m", 3]}},
    ),
    "names that say nothing": (lambda: named(parts(100), a="scores", b="classes", c="boxes"), {}),
    "Hugging Face DETR": (hugging_face, {"inputs": {"pixel_values": ("b", 3, SIDE, SIDE), "pixel_mask": ("b", 64, 64)},
                                          "types": {"pixel_mask": "int64"}}),
    "DeepStream-Yolo of old": (old_deepstream, {}),
    "in the middle of 0..1": (lambda: {**parts(100), "boxes": parts(100)["boxes"] / SIDE}, {}),
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", FILES)
def test_an_exporters_file_is_read_without_flags(name: str, backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    make, form = FILES[name]
    path = write_export(tmp_path / "export.onnx", make(), **{"inputs": IMAGE, **form})
    with Detector.open(path, backend=backend, conf=0.3, threads=1) as detector:
        (found,) = detector(np.zeros((SIDE, SIDE, 3), np.uint8))
    assert (found.label, round(found.confidence, 1)) == ("dog", 0.9)
    assert np.abs(np.array(found.xyxy) - BOX).max() < 1


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("columns", ["table", "apart"])
def test_a_list_has_another_length_for_each_picture(columns: str, backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    corner = np.arange(5, dtype=np.float32)[:, None] * 10 + np.array([1, 1], np.float32)
    boxes, scores = np.concatenate([corner, corner + 8], axis=1), np.array([0.9, 0.7, 0.5, 0.3, 0.1], np.float32)
    path = write_suppressing(tmp_path / "export.onnx", boxes, scores, columns)
    with Detector.open(path, backend=backend, labels=["cat", "dog"], conf=0.05, threads=1) as detector:
        for level, count in ((0, 5), (102, 3), (204, 1), (255, 0), (0, 5), (153, 2)):
            found = detector(np.full((64, 64, 3), level, np.uint8))
            assert [one.label for one in found] == ["dog"] * count
            np.testing.assert_allclose(found.xyxy, boxes[:count], atol=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_the_second_inputs_are_given(backend: str, tmp_path: Path) -> None:
    """The network answers with its second input as the right and lower edge of its boxes."""
    pytest.importorskip(backend)
    path = write_graph(
        tmp_path / "sizes.onnx",
        [
            helper.make_node("Cast", ["orig_target_sizes"], ["wh"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["wh", "wh"], ["zero"]),
            helper.make_node("Concat", ["zero", "wh"], ["row"], axis=1),
            helper.make_node("Unsqueeze", ["row", "axis"], ["rows"]),
            helper.make_node("Concat", ["rows", "rows"], ["boxes"], axis=1),
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["mean", "nothing"], ["none"]),
            helper.make_node("Unsqueeze", ["none", "axis"], ["column"]),
            helper.make_node("Add", ["column", "score"], ["scores"]),
            helper.make_node("Cast", ["scores"], ["labels"], to=TensorProto.INT64),
        ],
        {"images": (TensorProto.FLOAT, ["N", 3, 96, 160]), "orig_target_sizes": (TensorProto.INT64, ["N", 2])},
        {
            "labels": (TensorProto.INT64, ["N", 2]),
            "boxes": (TensorProto.FLOAT, ["N", 2, 4]),
            "scores": (TensorProto.FLOAT, ["N", 2]),
        },
        {
            "axis": np.array([1], np.int64),
            "nothing": np.array(0, np.float32),
            "score": np.array([[0.9, 0.1]], np.float32),
        },
    )
    with Detector.open(path, backend=backend, family="finished", batch=2, threads=1) as detector:
        both = detector([np.zeros((96, 160, 3), np.uint8)] * 2)
    assert [one.xyxy.tolist() for one in both] == [[[0.0, 0.0, 160.0, 96.0]]] * 2


def test_an_input_of_an_unknown_name_is_refused(tmp_path: Path) -> None:
    inputs = {"images": (1, 3, SIDE, SIDE), "depth_of_field": (1, 2)}
    path = write_export(tmp_path / "export.onnx", parts(10), inputs)
    with pytest.raises(ModelError, match="depth_of_field") as caught:
        Detector.open(path)
    assert "orig_target_sizes" in str(caught.value.hint)


def test_a_list_of_all_pictures_is_for_one_picture(tmp_path: Path) -> None:
    path = write_export(
        tmp_path / "export.onnx",
        {"output": filled((1, 9, 7), (0, *BOX, DOG, SCORE))[0]},
        {"images": ("N", 3, SIDE, SIDE)},
        declared={"output": ["n", 7]},
    )
    with Detector.open(path, threads=1) as detector:
        assert len(detector(np.zeros((SIDE, SIDE, 3), np.uint8))) == 1
    with pytest.raises((ModelError, UsageError)) as caught:
        Detector.open(path, batch=2)
    assert "batch" in f"{caught.value} {caught.value.hint}"


def test_more_rows_than_are_read_are_an_error(tmp_path: Path) -> None:
    rows = np.tile(np.array([0, *BOX, DOG, SCORE], np.float32), (5000, 1))
    path = write_export(tmp_path / "export.onnx", {"output": rows}, declared={"output": ["n", 7]})
    with pytest.raises(ModelError, match="5000 boxes"):
        Detector.open(path)


@pytest.mark.parametrize("backend", BACKENDS)
def test_channels_last_sees_the_same_pixels(backend: str, tmp_path: Path) -> None:
    """A network that answers with the mean of its first channel as its score."""
    pytest.importorskip(backend)
    found = {}
    for layout, shape, axes in (("planar", [1, 3, 64, 64], [2, 3]), ("last", [1, 64, 64, 3], [1, 2])):
        path = write_graph(
            tmp_path / f"{layout}.onnx",
            [
                helper.make_node("ReduceMean", ["images"], ["means"], axes=axes, keepdims=0),
                helper.make_node("Gather", ["means", "first"], ["mean"], axis=1),
                helper.make_node("Reshape", ["mean", "shape"], ["score"]),
                helper.make_node("Concat", ["box", "score", "class"], ["output"], axis=2),
            ],
            {"images": (TensorProto.FLOAT, shape)},
            {"output": (TensorProto.FLOAT, [1, 1, 6])},
            {
                "first": np.array([0], np.int64),
                "shape": np.array([1, 1, 1], np.int64),
                "box": np.array([[[8, 8, 40, 40]]], np.float32),
                "class": np.array([[[1]]], np.float32),
            },
        )
        image = np.zeros((64, 64, 3), np.uint8)
        image[..., 2], image[..., 0] = 204, 51  # red is the first channel of RGB
        with Detector.open(path, backend=backend, family="yolo_v10", labels=["a", "b"], threads=1) as detector:
            (one,) = detector(image)
            found[layout] = (*one.xyxy, one.confidence)
    np.testing.assert_allclose(found["planar"], found["last"], atol=1e-4)
    assert abs(found["last"][4] - 0.8) < 1e-4


def test_a_layout_that_the_family_does_not_have_is_refused(tmp_path: Path) -> None:
    path = write_export(tmp_path / "export.onnx", parts(100))
    with pytest.raises(SpecError, match="finished has no head layout softmax") as caught:
        Detector.open(path, family="finished", head_layout="softmax")
    assert "class_first" in str(caught.value.hint)


def test_the_layout_is_found_when_the_family_is_named(tmp_path: Path) -> None:
    table = {"output": filled((1, 9, 7), (0, *BOX, SCORE, DOG))}
    with Detector.open(write_export(tmp_path / "export.onnx", table), family="finished", threads=1) as detector:
        assert detector.model.spec.head_layout == ()
        assert [one.label for one in detector(np.zeros((SIDE, SIDE, 3), np.uint8))] == ["dog"]


def test_class_numbers_that_start_at_one(tmp_path: Path) -> None:
    found = {**parts(100), "classes": filled((1, 100), 2, "int64")}
    with Detector.open(write_export(tmp_path / "export.onnx", found), labels=["cat", "dog"], threads=1) as detector:
        assert detector.model.spec.head_layout == ("from_one",)
        assert [one.label for one in detector(np.zeros((SIDE, SIDE, 3), np.uint8))] == ["dog"]


def test_an_empty_list_leaves_a_doubt(tmp_path: Path) -> None:
    path = write_export(tmp_path / "export.onnx", {"output": np.zeros((9, 7), np.float32)}, **OPEN)
    with Detector.open(path, threads=1) as detector:
        assert any("finds nothing on a photograph" in note for note in detector.model.notes)
        assert len(detector(np.zeros((SIDE, SIDE, 3), np.uint8))) == 0


def test_another_class_than_person_on_a_person_is_said(tmp_path: Path) -> None:
    with Detector.open(write_export(tmp_path / "export.onnx", parts(100)), threads=1) as detector:
        assert any("person it finds: dog" in note for note in detector.model.notes)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_open_size_with_a_fixed_size_inside_names_the_flag(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    path = write_graph(
        tmp_path / "open.onnx",
        [
            helper.make_node("Reshape", ["images", "inside"], ["flat"]),
            helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
            helper.make_node("Unsqueeze", ["zero", "axis"], ["zero3"]),
            helper.make_node("Add", ["zero3", "rows"], ["output"]),
        ],
        {"images": (TensorProto.FLOAT, [1, 3, "h", "w"])},
        {"output": (TensorProto.FLOAT, [1, 300, 6])},
        {
            "inside": np.array([1, 3 * 320 * 320], np.int64),
            "nothing": np.array(0, np.float32),
            "axis": np.array([1], np.int64),
            "rows": filled((1, 300, 6), (*BOX, SCORE, DOG)),
        },
    )
    with pytest.raises(ModelError, match="leaves the size of its input open, and does not run at 640x640") as caught:
        Detector.open(path, backend=backend)
    assert "--imgsz" in str(caught.value.hint)
    with Detector.open(path, backend=backend, imgsz=320, threads=1) as detector:
        assert [one.label for one in detector(np.zeros((320, 320, 3), np.uint8))] == ["dog"]


@pytest.mark.parametrize("first", ["pred_boxes", "logits"])
def test_four_classes_are_told_from_boxes_by_names(first: str, tmp_path: Path) -> None:
    """Both outputs have four columns."""
    logits = filled((1, 300, 4), (-9, -9, 2.2, -9), empty=-9)
    boxes = filled((1, 300, 4), np.concatenate([(BOX[:2] + BOX[2:]) / 2, BOX[2:] - BOX[:2]]) / SIDE, empty=0.3)
    outputs = {"pred_boxes": boxes, "logits": logits}
    path = write_export(tmp_path / "export.onnx", {first: outputs.pop(first), **outputs})
    with Detector.open(path, threads=1) as detector:
        (found,) = detector(np.zeros((SIDE, SIDE, 3), np.uint8))
    assert found.class_id == 2 and np.abs(np.array(found.xyxy) - BOX).max() < 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_open_batch_of_outputs_alone(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    declared = {name: ["N", *array.shape[1:]] for name, array in parts(100).items()}
    path = write_export(tmp_path / "export.onnx", parts(100), declared=declared)
    with Detector.open(path, backend=backend, threads=1) as detector:
        (found,) = detector(np.zeros((SIDE, SIDE, 3), np.uint8))
    assert found.label == "dog" and np.abs(np.array(found.xyxy) - BOX).max() < 1


@pytest.mark.parametrize("count", [float("nan"), float("inf"), -1.0, 1e9])
def test_a_count_that_is_no_number_of_rows(count: float, tmp_path: Path) -> None:
    found = {"num_dets": np.array([[count]], np.float32), **parts(100)}
    with Detector.open(write_export(tmp_path / "export.onnx", found), threads=1) as detector:
        boxes = detector(np.zeros((SIDE, SIDE, 3), np.uint8))
    assert [one.label for one in boxes] == ["dog"] * (count > 0)
