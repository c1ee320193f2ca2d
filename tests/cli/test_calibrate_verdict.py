"""What edge-calibrate says about the file it makes, and when it makes none: the verdict claims no more than it saw."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from edge_runtime.cli import calibrate
from edge_runtime.model.spec import VERDICT_KEYS
from tests.models import INT8, PICTURES
from tests.tiny import boxes_v8, write_onnx

pytest.importorskip("onnxruntime")
BOX = (32, 32, 20, 20, 0.9, 1)
FLAGS = ["--family", "yolo_v8", "--backend", "onnxruntime", "--threads", "1", "--method", "minmax"]


def pictures(folder: Path, count: int, grey: int = 90) -> Path:
    (folder / "images").mkdir(parents=True)
    for number in range(count):
        picture = np.full((64, 64, 3), grey, np.uint8)
        picture[0, 0] = number
        cv2.imwrite(str(folder / "images" / f"{number:02}.png"), picture)
    return folder


def labelled(folder: Path, count: int, line: str, names: str = "a\nb\nc\n") -> Path:
    pictures(folder, count)
    (folder / "labels").mkdir()
    for number in range(count):
        (folder / "labels" / f"{number:02}.txt").write_text(line, encoding="utf-8")
    if names:
        (folder / "my.names").write_text(names, encoding="utf-8")
    return folder


def run(tmp_path: Path, output: np.ndarray, data: Path, *more: str) -> int:
    engine = write_onnx(tmp_path / "m.onnx", {"output0": output})
    said = [engine, "--images", str(data), "-o", str(tmp_path / "int8.onnx"), "--labels", "a,b,c", *FLAGS, *more]
    return calibrate.main(said)


def metadata(path: Path) -> dict:
    entries = onnx.load(path).metadata_props
    assert len({entry.key for entry in entries}) == len(entries), "no key twice"
    return {entry.key: entry.value for entry in entries}


def test_pictures_without_an_object_recommend_nothing(tmp_path, capsys):
    assert run(tmp_path, boxes_v8(), pictures(tmp_path / "dark", 12, 3)) == 0
    out = capsys.readouterr().out
    assert "These 2 pictures cannot say what INT8 costs" in out and "Use INT8" not in out and "points" not in out
    said = metadata(tmp_path / "int8.onnx")
    assert "cannot say" in said["verdict"] and not {"drop", "disagreement"} & set(said)


def test_few_boxes_recommend_nothing_and_their_number_is_said(tmp_path, capsys):
    assert run(tmp_path, boxes_v8(BOX), pictures(tmp_path / "few", 20)) == 0
    out = capsys.readouterr().out
    assert "These 4 pictures cannot say whether to use INT8" in out and "Use INT8" not in out
    assert "at most 75.00 (95 %; 4 boxes in 4 pictures)" in out, "none of 4 is lost: 3 of 4 may be"


def test_the_accuracy_is_told_by_size_where_there_are_labels(tmp_path, capsys):
    pytest.importorskip("pycocotools")
    data = labelled(tmp_path / "data", 20, "1 0.5 0.5 0.3125 0.3125\n")
    assert run(tmp_path, boxes_v8(BOX), data) == 0
    out = capsys.readouterr().out
    assert "coco_101 AP: 1.0000 -> 1.0000 on 4 other images" in out
    assert "AP by size of the object: small 1.0000 -> 1.0000" in out and "on average over 0.5 to 0.95" in out
    assert metadata(tmp_path / "int8.onnx")["drop"] == "0.00"


@pytest.mark.parametrize(
    ("names", "line", "reason"),
    [
        ("cell\nplatelet\n", "1 0.5 0.5 0.3 0.3\n", "model and data share no class"),
        ("a\ncell\n", "1 0.5 0.5 0.3 0.3\n", "the labels show no object of a class of the model"),
        ("", "7 0.5 0.5 0.3 0.3\n", "the labels have class number 7"),
    ],
)
def test_labels_of_other_classes_give_a_verdict_by_agreement_and_a_file(tmp_path, capsys, names, line, reason):
    assert run(tmp_path, boxes_v8(BOX), labelled(tmp_path / "data", 20, line, names)) == 0
    out, err = capsys.readouterr()
    assert f"note: {reason}" in err and "agreement of their boxes" in err and "agreement: 1.0000 ->" in out
    assert "disagreement" in metadata(tmp_path / "int8.onnx")


def test_a_model_that_finds_nothing_that_is_labelled_is_refused(tmp_path, capsys):
    pytest.importorskip("pycocotools")
    data = labelled(tmp_path / "data", 60, "1 0.2 0.2 0.1 0.1\n")
    assert run(tmp_path, boxes_v8(BOX), data) == 1
    err = capsys.readouterr().err
    assert "finds nothing of the 12 labelled objects in 12 pictures" in err
    assert "check family and preprocessing: edge-identify" in err and not (tmp_path / "int8.onnx").exists()
    assert run(tmp_path, boxes_v8(BOX), data, "--no-verdict") == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_no_numbers_are_refused(tmp_path, capsys, value):
    output = boxes_v8(BOX)
    output[:] = value
    assert run(tmp_path, output, pictures(tmp_path / "p", 10)) == 1
    err = capsys.readouterr().err
    assert "not finite (NaN or infinite) on 1 of 1 pictures" in err and "edge-identify" in err
    assert "/tmp" not in err.replace(str(tmp_path), "") and not (tmp_path / "int8.onnx").exists()
    assert run(tmp_path, output, tmp_path / "p", "--no-verdict") == 1


def test_a_file_that_is_int8_already_is_not_compared_with_itself(tmp_path, capsys):
    model = onnx.load(INT8[0])
    for key in VERDICT_KEYS:
        model.metadata_props.add(key=key, value="9.99")
    onnx.save(model, tmp_path / "old.onnx")
    some = [*map(str, PICTURES), *map(str, PICTURES)][: len(PICTURES)]
    folder = tmp_path / "p"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.png").write_bytes(Path(some[number % len(some)]).read_bytes())
    said = [str(tmp_path / "old.onnx"), "--images", str(folder), "-o", str(tmp_path / "int8.onnx")]
    assert calibrate.main([*said, "--backend", "onnxruntime", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "This file is INT8 already and keeps its own ranges" in out and "cannot say what INT8 costs" in out
    assert "lost" not in out and "Use INT8" not in out
    now = metadata(tmp_path / "int8.onnx")
    assert "INT8 already" in now["verdict"] and "9.99" not in now.values(), "nothing is left of an earlier verdict"
