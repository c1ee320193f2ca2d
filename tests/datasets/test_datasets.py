"""The same two pictures in every layout give the same objects; damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime import datasets
from edge_runtime.datasets import yolo
from edge_runtime.errors import DatasetError

SIZE_WH = (200, 100)
BOXES = {"a": [("dog", (20.0, 10.0, 80.0, 60.0)), ("cat", (100.0, 0.0, 200.0, 100.0))], "b": []}
NAMES = ("cat", "dog")


def pictures(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in BOXES:
        cv2.imwrite(str(folder / f"{name}.jpg"), np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8))


@pytest.fixture
def voc(tmp_path) -> Path:
    pictures(tmp_path / "JPEGImages")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "val.txt").write_text("a\nb\n", encoding="utf-8")
    (tmp_path / "ImageSets" / "Main" / "dog_val.txt").write_text("a  1\nb -1\n", encoding="utf-8")
    for name, objects in BOXES.items():
        things = "".join(
            f"<object><name>{label}</name><difficult>{int(label == 'cat')}</difficult><bndbox><xmin>{x1 + 1}</xmin>"
            f"<ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            for label, (x1, y1, x2, y2) in objects
        )
        (tmp_path / "Annotations" / f"{name}.xml").write_text(f"<annotation>{things}</annotation>", encoding="utf-8")
    return tmp_path


@pytest.fixture
def coco(tmp_path) -> Path:
    pictures(tmp_path / "val2017")
    (tmp_path / "annotations").mkdir()
    notes = [
        {"id": 1, "image_id": 7, "category_id": 18 if label == "dog" else 17, "iscrowd": int(label == "cat"),
         "bbox": [x1, y1, x2 - x1, y2 - y1], "area": 5.0}
        for label, (x1, y1, x2, y2) in BOXES["a"]
    ]  # fmt: skip
    content = {
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 9, "file_name": "b.jpg"}],
        "categories": [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}],
        "annotations": notes,
    }
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


@pytest.fixture
def yolo_txt(tmp_path) -> Path:
    pictures(tmp_path / "images" / "val")
    (tmp_path / "labels" / "val").mkdir(parents=True)
    (tmp_path / "data.yaml").write_text(
        "train: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n", encoding="utf-8"
    )
    w, h = SIZE_WH
    lines = [
        f"{NAMES.index(label)} {(x1 + x2) / 2 / w} {(y1 + y2) / 2 / h} {(x2 - x1) / w} {(y2 - y1) / h}"
        for label, (x1, y1, x2, y2) in BOXES["a"]
    ]
    (tmp_path / "labels" / "val" / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("layout", ["voc", "coco", "yolo_txt"])
def test_every_layout_says_the_same(layout, request):
    data = datasets.open(str(request.getfixturevalue(layout)))
    assert [Path(path).name for path in data.paths] == ["a.jpg", "b.jpg"]
    scale = np.array([*SIZE_WH, *SIZE_WH]) if data.relative else 1.0
    first, second = data.truths
    for label, box in BOXES["a"]:
        (own,) = np.flatnonzero([data.labels[number] == label for number in first.class_id])
        np.testing.assert_allclose(first.xyxy[own] * scale, box)
    assert len(second.xyxy) == len(second.class_id) == 0


def test_voc_flags_and_splits(voc):
    data = datasets.open(str(voc))
    assert data.truths[0].difficult.tolist() == [False, True] and not data.notes
    assert "aeroplane" in data.labels, "names of VOC's set keep VOC's numbers"
    with pytest.raises(DatasetError, match="no split 'test'") as failure:
        datasets.open(str(voc), split="test")
    assert "val" in str(failure.value.hint) and "dog_val" not in str(failure.value.hint)
    (voc / "ImageSets" / "Main" / "mine.txt").write_text("b\n", encoding="utf-8")
    assert len(datasets.open(str(voc), split="mine").paths) == 1


def test_labels_without_the_difficult_flag_say_so(voc, coco, yolo_txt):
    assert any("difficult" in note for note in datasets.open(str(coco), layout="coco").notes)
    for file in (voc / "Annotations").glob("*.xml"):
        file.write_text(file.read_text(encoding="utf-8").replace("<difficult>1</difficult>", ""), encoding="utf-8")
    assert any("difficult" in note for note in datasets.open(str(voc), layout="voc").notes)


def test_coco_crowds_and_areas(coco):
    truth = datasets.open(str(coco)).truths[0]
    assert truth.crowd.tolist() == [False, True] and truth.ignored.tolist() == [False, True]
    assert truth.area.tolist() == [5.0, 5.0]
    assert datasets.open(str(coco / "annotations" / "instances_val2017.json")).labels == NAMES


def test_yolo_names_from_a_file_and_numbers_alone(yolo_txt):
    (yolo_txt / "data.yaml").unlink()
    assert datasets.open(str(yolo_txt)).labels == ()
    (yolo_txt / "coco.names").write_text("cat\ndog\n", encoding="utf-8")
    assert datasets.open(str(yolo_txt), split="val").labels == NAMES


def test_polygons_become_boxes():
    assert yolo._row("1 0.1 0.2 0.5 0.2 0.3 0.8", 2) == pytest.approx([1, 0.3, 0.5, 0.4, 0.6])


@pytest.mark.parametrize(
    ("layout", "file", "text", "message"),
    [
        ("voc", "Annotations/a.xml", "<annotation><object>", "cannot be read"),
        ("voc", "Annotations/a.xml", "<a><object><name>dog</name></object></a>", "cannot be read"),
        ("coco", "annotations/instances_val2017.json", "{}", "not a COCO listing"),
        ("coco", "annotations/instances_val2017.json", "[", "not a COCO listing"),
        ("yolo_txt", "labels/val/a.txt", "0 0.5 0.5", "3 numbers"),
        ("yolo_txt", "labels/val/a.txt", "5 0.5 0.5 0.1 0.1", "class 5 of 2"),
        ("yolo_txt", "labels/val/a.txt", "dog 0.5 0.5 0.1 0.1", "could not convert"),
        ("yolo_txt", "data.yaml", "names: [a, b", "cannot be read"),
        ("yolo_txt", "data.yaml", "val: nowhere\nnames: [a]", "no folder"),
    ],
)
def test_damaged_labels_are_named(layout, file, text, message, request):
    folder = request.getfixturevalue(layout)
    (folder / file).write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message) as failure:
        datasets.open(str(folder))
    assert failure.value.hint


@given(st.text(alphabet="0123456789. -eE\n", max_size=60))
def test_any_label_file_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("labels") / "a.txt"
    path.write_text(text, encoding="utf-8")
    try:
        truth = yolo._truth(path, 2)
    except DatasetError:
        return
    assert truth.xyxy.shape == (len(truth.class_id), 4)


def test_missing_and_repeated_images_and_folders(voc, tmp_path):
    (voc / "JPEGImages" / "b.jpg").unlink()
    with pytest.raises(DatasetError, match="1 of 2 images are missing"):
        datasets.open(str(voc))
    (voc / "ImageSets" / "Main" / "val.txt").write_text("a\na\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="twice"):
        datasets.open(str(voc))
    (voc / "ImageSets" / "Main" / "val.txt").write_text("", encoding="utf-8")
    with pytest.raises(DatasetError, match="no image"):
        datasets.open(str(voc))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DatasetError, match="does not have the layout"):
        datasets.open(str(empty))
    with pytest.raises(DatasetError, match="no such data set"):
        datasets.open(str(tmp_path / "nowhere"))


def test_shared_sets(shared):
    expected = {"voc2007": (400, 20), "bccd": (60, 3), "coco128": (128, 80), "coco_val": (187, 80)}
    for name, (images, classes) in expected.items():
        data = datasets.open(str(shared / "data" / name))
        assert (len(data.paths), len(data.labels)) == (images, classes), name
    boxes, lines = (datasets.open(str(shared / "data" / "coco128"), layout=layout) for layout in ("coco", "yolo"))
    assert [Path(p).name for p in boxes.paths] == sorted(Path(p).name for p in lines.paths) or len(boxes.paths) == 128
    by_name = {Path(path).name: truth for path, truth in zip(boxes.paths, boxes.truths)}
    same = [len(by_name[Path(path).name].xyxy) == len(truth.xyxy) for path, truth in zip(lines.paths, lines.truths)]
    assert np.mean(same) > 0.9, "YOLO's labels lack only the crowds"


@pytest.mark.parametrize("text", ["names: " + "[" * 3000, "names: " + "{" * 3000, "- " * 3000 + "a", "a" * (1 << 20)])
def test_a_description_that_would_take_minutes_is_refused(tmp_path, text):
    (tmp_path / "data.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match="cannot be read") as caught:
        datasets.open(str(tmp_path / "data.yaml"))
    assert caught.value.hint


@pytest.mark.parametrize("row", ["0 nan 0.5 0.1 0.1", "0 0.5 0.5 inf 0.1", "0.5 0.5 0.5 0.1 0.1", "-1 0.5 0.5 0.1 0.1"])
def test_labels_that_are_no_numbers_are_refused(tmp_path, row):
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"")
    (tmp_path / "labels" / "a.txt").write_text(row, encoding="utf-8")
    with pytest.raises(DatasetError):
        datasets.open(str(tmp_path))
