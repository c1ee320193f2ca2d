"""Detector's front door: any spelling of options, any kind of image, one or many."""

from __future__ import annotations

import gc
import inspect
import os
import threading
import weakref
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime import SourceError, SpecError, UsageError
from edge_runtime.backends import BackendOptions
from edge_runtime.cli import _flags
from edge_runtime.detect.detector import Detector
from edge_runtime.imaging.picture import write_picture
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.thresholds import Thresholds
from tests.tiny import boxes_v8, write_onnx

pytest.importorskip("onnxruntime")
ROWS = ((32, 32, 16, 8, 0.9, 1), (10, 10, 8, 8, 0.6, 2), (50, 50, 8, 8, 0.5, 0))
IMAGE = np.zeros((48, 64, 3), np.uint8)
NAMES = ("cat", "dog", "hot dog")
HERE = {"backend": "onnxruntime", "threads": 1, "family": "yolo_v8"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A tiny detector that finds a dog, a hot dog and a cat in every image."""
    return Path(write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8(*ROWS)}))


@pytest.fixture
def batched(tmp_path: Path) -> Any:
    """The same with an open batch, in batches of 4."""
    path = write_onnx(tmp_path / "batched.onnx", {"output0": boxes_v8(*ROWS)}, ("N", 3, 64, 64))
    with Detector.open(path, labels=NAMES, batch=4, **HERE) as detector:
        yield detector


def found(path: Path, **keywords: Any) -> list:
    """Names of what is found."""
    with Detector.open(path, **{"labels": NAMES, **HERE, **keywords}) as detector:
        return [box.label for box in detector(IMAGE)]


def test_every_option_is_a_keyword() -> None:
    known = set(inspect.signature(Detector.open).parameters) - {"path", "flags", "options", "recipe", "unknown"}
    options = {f.name for kind in (BackendOptions, Thresholds, ModelFlags) for f in fields(kind)} - {"thresholds"}
    assert known == options


def test_every_flag_of_the_commands_is_a_keyword() -> None:
    import argparse

    parser = argparse.ArgumentParser()
    _flags.add_model_flags(parser)
    _flags.add_detection_flags(parser)
    flags = {action.dest for action in parser._actions} - {"help", "engine", "verbose", "version"}
    assert flags <= set(inspect.signature(Detector.open).parameters)


@pytest.mark.parametrize("spelling", [str, Path, lambda path: os.path.relpath(path)])
def test_the_path_in_any_spelling(path: Path, spelling: Any) -> None:
    assert found(spelling(path)) == ["dog", "hot dog", "cat"]


def test_a_bare_name_is_looked_up(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "engines").mkdir()
    path.rename(tmp_path / "engines" / "tiny.onnx")
    monkeypatch.chdir(tmp_path)
    assert found(Path("tiny.onnx")) == found("tiny.onnx") == ["dog", "hot dog", "cat"]


@pytest.mark.parametrize("path", [None, 3, b"m.onnx", ["m.onnx"]])
def test_what_is_no_path(path: Any) -> None:
    with pytest.raises(UsageError, match="path is"):
        Detector.open(path)


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        ("dog", ["dog"]),
        ("hot dog", ["hot dog"]),
        ("dog, cat", ["dog", "cat"]),
        (["dog", "cat"], ["dog", "cat"]),
        (("dog",), ["dog"]),
        ({"cat"}, ["cat"]),
        (1, ["dog"]),
        (0, ["cat"]),
        ("1", ["dog"]),
        ([0, "dog"], ["dog", "cat"]),
        (np.array([2, 1]), ["dog", "hot dog"]),
        (np.int64(2), ["hot dog"]),
        (None, ["dog", "hot dog", "cat"]),
    ],
)
def test_classes(path: Path, classes: Any, labels: list) -> None:
    assert found(path, classes=classes) == labels
    if not isinstance(classes, (set, np.ndarray)):
        assert found(path, options=BackendOptions(thresholds=Thresholds(classes=classes))) == labels


@pytest.mark.parametrize("classes", ["d", "do", "zebra", "dog,zebra", 3, -1, 1.5, ["o"], [None], "", [], ","])
def test_classes_that_are_not_there(path: Path, classes: Any) -> None:
    with pytest.raises(SpecError, match="class") as caught:
        found(path, classes=classes)
    assert caught.value.hint


def test_a_name_with_a_comma_is_one_name(path: Path) -> None:
    assert found(path, labels=["cat", "dog, hot", "x"], classes="dog, hot") == ["dog, hot"]


def test_labels_as_list_file_and_text(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("a\nb\nc\n", encoding="utf-8")
    for labels in (["a", "b", "c"], ("a", "b", "c"), file, str(file), "a,b,c", np.array(["a", "b", "c"])):
        assert found(path, labels=labels) == ["b", "c", "a"]


def test_thresholds_and_execution_by_keyword(path: Path) -> None:
    assert found(path, conf=0.55) == ["dog", "hot dog"]
    assert found(path, max_det=1) == ["dog"]
    with Detector.open(path, labels=NAMES, slots=3, iou=0.1, multi_label=True, **HERE) as detector:
        assert (detector.backend.slots, detector.options.threads) == (3, 1)
        assert detector.options.thresholds == Thresholds(iou=0.1, multi_label=True)


def test_preprocessing_by_keyword(path: Path) -> None:
    said = {"resize": "stretch", "color": "bgr", "mean": 0, "std": (1, 2, 3), "pad_value": 0, "imgsz": 64}
    with Detector.open(path, labels=NAMES, **said, **HERE) as detector:
        spec = detector.model.spec
        assert (spec.resize, spec.color, spec.pad_value, spec.input_wh) == ("stretch", "bgr", 0, (64, 64))
        assert (spec.mean, spec.std) == ((0.0, 0.0, 0.0), (1.0, 2.0, 3.0))
        assert not any("preprocessing" in note for note in detector.model.notes)


def test_keywords_win_over_flags_and_flags_over_the_recipe(path: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "m.toml"
    recipe.write_text('color = "bgr"\nresize = "stretch"\npad_value = 1\nlabels = ["x", "y", "z"]\n', encoding="utf-8")
    flags = ModelFlags(resize="letterbox_topleft", pad_value=2)
    for given in (recipe, str(recipe)):
        with Detector.open(path, recipe=given, flags=flags, pad_value=3, **HERE) as detector:
            spec = detector.model.spec
            assert (spec.color, spec.resize, spec.pad_value) == ("bgr", "letterbox_topleft", 3)
            assert spec.labels == ("x", "y", "z")
    options = BackendOptions(backend="onnxruntime", threads=1, slots=3, thresholds=Thresholds(conf=0.55))
    with Detector.open(path, options=options, slots=1, family="yolo_v8", labels=NAMES) as detector:
        assert detector.backend.slots == 1 and len(detector(IMAGE)) == 2


@pytest.mark.parametrize(
    ("keyword", "near"),
    [
        ("confidence", "conf"), ("threshold", "conf"), ("clases", "classes"), ("names", "labels"),
        ("img_size", "imgsz"), ("multilabel", "multi_label"), ("nms_threshold", "iou"), ("thread", "threads"),
    ],
)  # fmt: skip
def test_an_unknown_keyword_is_answered_with_ours(path: Path, keyword: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"no keyword '{keyword}'") as caught:
        Detector.open(path, **{keyword: 1})
    assert caught.value.hint == f"did you mean '{near}'?"


def test_a_keyword_like_no_other_lists_them_all(path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Detector.open(path, workspace=1)
    assert "conf, device, family" in str(caught.value.hint) and "cls" not in str(caught.value.hint)


@pytest.mark.parametrize(
    "keywords", [{"flags": {}}, {"options": Thresholds()}, {"imgsz": (64,)}, {"mean": "red"}, {"labels": [1, 2, 3]}]
)
def test_values_of_the_wrong_kind(path: Path, keywords: Any) -> None:
    with pytest.raises(UsageError) as caught:
        Detector.open(path, **keywords)
    assert "expected" in str(caught.value.hint)


def test_one_image_of_every_kind(batched: Detector, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    write_picture(picture, IMAGE)
    expected = batched(IMAGE)
    assert len(expected) == 3 and expected.image_wh == (64, 48) and expected.path is None
    for given in (picture, str(picture), IMAGE[..., 0], IMAGE[:, ::-1]):
        assert batched(given) == expected
    assert batched(picture).path == batched(picture).source == str(picture)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9])
@pytest.mark.parametrize("kind", [list, tuple])
def test_lists_are_run_in_batches(batched: Detector, count: int, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, enqueue = [], batched.backend.enqueue

    def counted(slot: int, images: Any) -> None:
        sizes.append(len(images))
        enqueue(slot, images)

    monkeypatch.setattr(batched.backend, "enqueue", counted)
    images = kind(np.zeros((48, 32 + 8 * number, 3), np.uint8) for number in range(count))
    results = batched(images)
    assert sizes == [4] * (count // 4) + [count % 4] * (count % 4 > 0)
    assert isinstance(results, list) and [r.image_wh for r in results] == [(32 + 8 * n, 48) for n in range(count)]
    for result, image in zip(results, images):
        assert result == batched(image)


def test_a_list_mixes_kinds_and_names_the_bad_one(batched: Detector, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    write_picture(picture, IMAGE)
    assert [r.path for r in batched([picture, IMAGE, str(picture)])] == [str(picture), None, str(picture)]
    with pytest.raises(SourceError, match=r"none\.png"):
        batched([picture, tmp_path / "none.png"])
    with pytest.raises(SpecError, match="list"):
        batched([[IMAGE]])
    assert len(batched(IMAGE)) == 3, "it goes on after an error"


def test_results_are_the_callers_own(batched: Detector) -> None:
    first = batched(IMAGE)
    before = first.xyxy.copy()
    batched(np.zeros((96, 128, 3), np.uint8))
    np.testing.assert_array_equal(first.xyxy, before)


def test_kept_results_keep_no_image(batched: Detector) -> None:
    image = IMAGE.copy()
    gone = weakref.ref(image)
    kept = [batched(image), *batched([image, image])]
    assert all(result.draw().any() for result in kept)
    del image
    for slot in range(batched.backend.slots):  # a backend may hold the last images until the next ones
        batched.backend.enqueue(slot, [IMAGE])
        batched.backend.wait(slot)
    gc.collect()
    assert gone() is None and len(kept) == 3


def test_two_threads_never_share_a_slot(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one thread waits for its image, another one's may not take its place."""
    with Detector.open(path, **HERE) as detector:
        wide, expected = np.zeros((48, 128, 3), np.uint8), detector(IMAGE)
        enqueue, wait, entered = detector.backend.enqueue, detector.backend.wait, threading.Event()
        second = threading.Thread(target=detector, args=(wide,))

        def noted(slot: int, images: Any) -> None:
            if threading.current_thread() is second:
                entered.set()
            enqueue(slot, images)

        def interrupted(slot: int) -> Any:
            if threading.current_thread() is not second:
                second.start()
                assert not entered.wait(0.2), "the second thread came in"
            return wait(slot)

        monkeypatch.setattr(detector.backend, "enqueue", noted)
        monkeypatch.setattr(detector.backend, "wait", interrupted)
        found = detector(IMAGE)
        second.join()
        assert entered.is_set() and found == expected
