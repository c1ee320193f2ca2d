"""What is tried: every family that fits, both channel orders, every usual scale; what the user says is not tried."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import boxes_v8, write_onnx

from edge_runtime.detect.understand import UNSTATED
from edge_runtime.errors import ModelError
from edge_runtime.identify.candidates import SCALES, candidates, read_model, resizes
from edge_runtime.model import onnx_file
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import METADATA_KEY, ModelSpec
from tests.models import MODELS


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    return write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})


def tried(path: str, flags: ModelFlags = ModelFlags(), *more: object) -> list:
    return candidates(read_model(path, onnx_file.read_io, flags), flags, bool(flags.labels), *more)


def test_every_scale_in_both_orders(tiny: str) -> None:
    found = [each for each in tried(tiny) if each.reading == 0]
    assert {(each.spec.color, each.scale) for each in found} == {
        (color, scale.name) for color in ("rgb", "bgr") for scale in SCALES
    }
    assert len(found) == 2 * len(SCALES) and {each.spec.resize for each in found} == {"letterbox"}


def test_mean_and_std_follow_the_channels(tiny: str) -> None:
    spec = next(each.spec for each in tried(tiny) if each.scale == "ImageNet" and each.spec.color == "bgr")
    assert spec.mean == (103.53, 116.28, 123.675) and spec.std == (57.375, 57.12, 58.395)


def test_what_the_user_says_is_not_tried(tiny: str) -> None:
    flags = ModelFlags(family="yolo_v8", color="bgr", mean=(1, 2, 3), std=(4, 5, 6), resize="stretch", labels="a,b,c")
    (only,) = tried(tiny, flags)
    assert (only.spec.color, only.spec.mean, only.spec.std) == ("bgr", (1, 2, 3), (4, 5, 6))
    assert only.spec.labels == ("a", "b", "c") and resizes(only, flags) == []


def test_the_other_resizes_join(tiny: str) -> None:
    first = tried(tiny)[0]
    assert [each.spec.resize for each in resizes(first, ModelFlags())] == ["letterbox_topleft", "stretch"]
    assert first.unusual < resizes(first, ModelFlags())[0].unusual


def test_the_names_of_the_data_are_tried_where_they_fit(tiny: str) -> None:
    assert {each.labels for each in tried(tiny, ModelFlags(), ("x", "y", "z"))} == {"numbers", "data"}
    assert {each.labels for each in tried(tiny, ModelFlags(), ("x", "y"))} == {"numbers"}
    assert {each.labels for each in tried(tiny, ModelFlags(labels="a,b,c"), ("x", "y", "z"))} == {""}


def test_a_file_that_states_its_preparation_is_tried_too() -> None:
    path = str(MODELS / "yolo_v8.onnx")
    stated = ModelSpec.from_json(onnx_file.read_io(path).metadata[METADATA_KEY])
    found = tried(path)
    assert {each.spec.family for each in found} == {stated.family} and {each.spec.labels for each in found} == {
        stated.labels
    }
    assert len({(each.spec.color, each.scale) for each in found}) == 2 * len(SCALES)


def test_pixels_for_a_network_of_whole_numbers(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "u.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))}, image_dtype=2)
    assert {each.spec.std for each in tried(path)} == {(1.0, 1.0, 1.0)}


def test_more_classes_than_boxes_is_no_reading(tmp_path: Path) -> None:
    output = np.zeros((1, 7, 300), np.float32)
    path = write_onnx(tmp_path / "m.onnx", {"output0": output}, (1, 3, 64, 64))
    with pytest.raises(ModelError, match="reader of text"):
        tried(path, ModelFlags())


def test_notes_are_about_what_is_still_assumed(tiny: str) -> None:
    first = tried(tiny)[0]
    assert any(note.startswith(UNSTATED) for note in first.model.notes)
    assert not any(note.startswith(UNSTATED) for note in first.notes)
