"""One run on a photograph decides between families whose outputs have the same shapes, and refuses what is none."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Tuple

import numpy as np
import pytest
from onnx import TensorProto

from edge_runtime.backends import onnxruntime
from edge_runtime.detect import evidence
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError
from edge_runtime.model.recipe import ModelFlags
from tests.tiny import write_onnx

pytest.importorskip("onnxruntime")
DOG, BOX = 16, (100.0, 150.0, 300.0, 400.0)
CENTRE = (200.0, 275.0, 200.0, 250.0)
SIDE = 640
Outputs = Dict[str, np.ndarray]


def table(columns: int, count: int = 8400, **row: float) -> np.ndarray:
    """Rows of zeros but for one, whose columns are given by number, `c4=0.9`."""
    rows = np.zeros((1, count, columns), np.float32)
    for column, value in row.items():
        rows[0, count // 2, int(column[1:])] = value
    return rows


def box(values: Tuple[float, ...], scale: float = 1.0) -> Dict[str, float]:
    return {f"c{number}": value / scale for number, value in enumerate(values)}


def v6() -> Outputs:
    rows = table(85)
    rows[0, :, :4], rows[0, :, 4] = (320, 320, 10, 10), 1
    rows[0, 4200] = table(85, 1, **box(CENTRE), c4=1, **{f"c{5 + DOG}": 0.9})[0, 0]
    return {"outputs": rows}


def decoded_and_maps() -> Outputs:
    rows = table(85, 25200, **box(CENTRE), c4=1, **{f"c{5 + DOG}": 0.9})
    return {"output": rows, **{f"raw{s}": np.zeros((1, 3, s, s, 85), np.float32) for s in (80, 40, 20)}}


def v8(scale: float = 1.0) -> Outputs:
    return {"output0": table(84, **box(CENTRE, scale), **{f"c{4 + DOG}": 0.9}).transpose(0, 2, 1)}


def pair(first: str, boxes: np.ndarray, scores: np.ndarray) -> Outputs:
    found = {"boxes": boxes, "scores": scores}
    return {first: found.pop(first), **found}


def jetson() -> Outputs:
    scores, boxes = np.zeros((1, 3000, 21), np.float32), np.zeros((1, 3000, 4), np.float32)
    scores[0, :, 0], boxes[0, :] = 1, (0.4, 0.4, 0.5, 0.5)
    scores[0, 1200, [0, 12]], boxes[0, 1200] = (0.1, 0.9), np.array(BOX) / 640
    return {"scores": scores, "boxes": boxes}


def rt_detr() -> Outputs:
    return {"output0": table(84, 300, **box(CENTRE, SIDE), **{f"c{4 + DOG}": 0.9})}


def rf_detr() -> Outputs:
    logits = np.full((1, 300, 91), -9, np.float32)
    logits[0, 0, 18] = 2.2
    return {"dets": table(4, 300, **box(CENTRE, SIDE))[:, ::-1].copy()[:, [149, *range(299)]], "labels": logits}


READ = {
    "YOLOv6, whose rows look like YOLOX's": (v6, "yolo_v6", ()),
    "YOLOv7 --grid, with its raw maps": (decoded_and_maps, "yolo_v5", ()),
    "YOLOv8": (v8, "yolo_v8", ()),
    "YOLOv8 in 0..1": (lambda: v8(SIDE), "yolo_v8", ("fraction",)),
    "YOLO-NAS": (lambda: pair("boxes", table(4, **box(BOX)), table(80, **{f"c{DOG}": 0.9})), "dense", ()),
    "DAMO-YOLO": (lambda: pair("scores", table(4, **box(BOX)), table(80, **{f"c{DOG}": 0.9})), "dense", ()),
    "jetson-inference": (jetson, "dense", ("fraction", "background")),
    "DeepStream-Yolo": (lambda: {"output": table(6, **box(BOX), c4=0.9, c5=DOG)}, "yolo_v10", ()),
    "RT-DETR of Ultralytics": (
        lambda: {"output0": table(84, 300, **box(CENTRE, SIDE), **{f"c{4 + DOG}": 0.9})},
        "dense",
        ("cxcywh", "fraction"),
    ),
    "RF-DETR": (rf_detr, "dense", ("cxcywh", "fraction", "sigmoid")),
}


@pytest.mark.parametrize(("outputs", "family", "layout"), READ.values(), ids=READ.keys())
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_what_the_values_say_is_read(outputs, family, layout, backend, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    path = write_onnx(tmp_path / "m.onnx", outputs(), (1, 3, SIDE, SIDE))
    with Detector.open(path, conf=0.5, backend=backend, threads=1) as detector:
        assert (detector.model.spec.family, detector.model.spec.head_layout) == (family, layout)
        (dog,) = detector(np.zeros((SIDE, SIDE, 3), np.uint8))
        assert dog.label == "dog" and dog.confidence == pytest.approx(0.9, abs=0.01)
        assert dog.xyxy == pytest.approx(BOX, abs=0.5)
        told = [note for note in detector.model.notes if note.startswith("read as --family")]
        assert bool(told) == (family in ("yolo_v6", "yolo_v10") or bool(layout)), "what is unusual is said"


def maps(*shapes: Tuple[int, ...]) -> Outputs:
    return {f"p{number}": np.zeros((1, *shape), np.float32) for number, shape in enumerate(shapes)}


REFUSED = {
    "a feature pyramid": (
        lambda: maps((256, 80, 80), (256, 40, 40), (256, 20, 20)),
        "contradict it .*activated a second time",
    ),
    "a segmenter": (lambda: maps((150, 20, 20)), "activated a second time"),
    "pose rows": (lambda: {"output0": table(56, **box(CENTRE), c4=0.9, c5=200, c6=250)}, "scores would be 0 to 250"),
    "DeepStream rows of 91 classes": (lambda: {"output": table(6, **box(BOX), c4=0.9, c5=90)}, "the number 90"),
    "logits of a cell": (lambda: {"output": np.full((1, 8500, 112), -30, np.float32)}, "scores would be -30"),
}


@pytest.mark.parametrize(("outputs", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_values_contradict_is_refused(outputs, said: str, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", outputs(), (1, 3, SIDE, SIDE))
    with pytest.raises(ModelError, match=said) as caught:
        Detector.open(path, backend="onnxruntime", threads=1)
    assert "--family" in str(caught.value.hint)


def test_who_names_the_family_is_believed_and_told_what_contradicts_it(tmp_path: Path) -> None:
    path, told = write_onnx(tmp_path / "m.onnx", v8(), (1, 3, SIDE, SIDE)), "the outputs contradict this family"
    with Detector.open(path, family="yolo_v8", threads=1) as detector:
        assert told not in " ".join(detector.model.notes)
    with Detector.open(path, flags=ModelFlags(family="yolo_v8", head_layout=("fraction",)), threads=1) as detector:
        assert detector.model.spec.head_layout == ("fraction",)
        assert told in " ".join(detector.model.notes)


def test_uint8_pictures_are_fed_as_they_are(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", v8(), (1, 3, SIDE, SIDE), image_dtype=TensorProto.UINT8)
    with Detector.open(path, backend="onnxruntime", threads=1) as detector:
        assert detector.model.spec.mean == (0, 0, 0) and detector.model.spec.std == (1, 1, 1)
        picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        detector(picture)
        feed = detector.backend._slots[0].feed  # type: ignore[attr-defined]
        assert feed.dtype == np.uint8 and np.array_equal(feed[0], picture[..., ::-1].transpose(2, 0, 1))


def test_every_shared_model_is_what_it_was_taken_for(shared: Path) -> None:
    lines = [line.split("\t") for line in (shared / "models" / "AP.tsv").read_text(encoding="utf-8").splitlines()]
    told = {line[0]: line[4].split() for line in lines if len(line) > 4 and line[0].endswith(".onnx")}
    opened = 0
    for file, flags in told.items():
        try:
            detector = Detector.open(shared / "models" / file, backend="onnxruntime", threads=1)
        except ModelError as error:
            assert "the newest that onnxruntime" in str(error), "an old version reads no new file"
            continue
        with detector:
            assert detector.model.spec.family == flags[flags.index("--family") + 1], file
            assert detector.model.spec.head_layout == () and not detector.model.rivals
        opened += 1
    assert opened >= 12


def test_a_file_that_is_only_described_is_looked_at_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_onnx(tmp_path / "m.onnx", v6(), (1, 3, SIDE, SIDE))
    assert evidence.described(path, ModelFlags()).spec.family == "yolo_v6"
    monkeypatch.setattr(onnxruntime, "available", lambda: "onnxruntime is not installed")
    with pytest.raises(ModelError, match="no run can confirm that it is yolox: onnxruntime is not installed") as caught:
        evidence.described(path, ModelFlags())
    assert "--family yolox" in str(caught.value.hint)
    assert evidence.described(path, ModelFlags(family="yolo_v6")).spec.family == "yolo_v6"
    path = write_onnx(tmp_path / "u.onnx", v8(), (1, 3, SIDE, SIDE), {"author": "Ultralytics", "task": "detect"})
    model = evidence.described(path, ModelFlags())
    assert model.spec.family == "yolo_v8" and "no run confirms it" in model.notes[-1]
