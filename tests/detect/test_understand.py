"""What is believed about a model: flags over our metadata over Ultralytics' over shapes; every assumption is said."""

from __future__ import annotations

import pytest

from edge_runtime.detect.sizes import input_size
from edge_runtime.detect.understand import understand
from edge_runtime.errors import EdgeError, ModelError, UsageError
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import METADATA_KEY, ModelIO, ModelSpec

V8_COCO = {"output0": (1, 84, 8400)}


def io(outputs=V8_COCO, size=640, metadata=None) -> ModelIO:
    return ModelIO("images", (1, 3, size, size), outputs, metadata or {})


def test_our_metadata_is_certain_and_silent():
    spec = ModelSpec("yolo_v8", (320, 320), labels=("a",) * 80, color="bgr", resize="stretch")
    model = understand("m.onnx", io(metadata={METADATA_KEY: spec.to_json()}))
    assert model.notes == () and model.spec.color == "bgr" and model.spec.input_wh == (640, 640)


def test_flags_overrule_metadata_and_say_so():
    spec = ModelSpec("yolo_v8", (640, 640), labels=("a",) * 80)
    flags = ModelFlags(color="bgr", resize="letterbox")
    model = understand("m.onnx", io(metadata={METADATA_KEY: spec.to_json()}), flags)
    assert model.spec.color == "bgr"
    assert model.notes == ("color bgr overrules the file's rgb",), "what agrees is no contradiction"


def test_ultralytics_metadata_gives_names_and_preprocessing():
    metadata = {"author": "Ultralytics", "task": "detect", "names": str({i: f"n{i}" for i in range(80)})}
    model = understand("m.onnx", io(metadata=metadata))
    assert model.spec.family == "yolo_v8" and model.spec.labels[3] == "n3" and model.notes == ()


def test_shapes_alone_are_a_guess_and_said_once():
    model = understand("m.onnx", io())
    assert model.spec.family == "yolo_v8" and model.spec.labels[0] == "person"
    assert len([note for note in model.notes if "preprocessing" in note]) == 1
    assert "--resize letterbox" in model.notes[0] and "--labels coco" in model.notes[1]


def test_what_the_user_says_is_not_called_assumed():
    flags = ModelFlags(resize="stretch", color="bgr", mean=(0, 0, 0), std=(1, 1, 1), labels="coco")
    model = understand("m.onnx", io(), flags)
    assert model.notes == () and model.spec.std == (1, 1, 1)


def test_other_tasks_and_strange_outputs_are_refused():
    with pytest.raises(ModelError, match="'classify'"):
        understand("m.onnx", io(metadata={"task": "classify"}))
    with pytest.raises(ModelError, match="no known detector") as caught:
        understand("m.onnx", io({"out": (1, 7, 9, 11)}))
    assert "--family" in caught.value.hint and "[1, 7, 9, 11]" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"family": "yolo_v8"}', '{"family": "yolo_v8", "input_wh": [1, 2], "std": [0]}']
)
def test_broken_metadata_is_an_error_not_a_guess(text):
    with pytest.raises(EdgeError) as caught:
        understand("m.onnx", io(metadata={METADATA_KEY: text}))
    assert caught.value.hint


def test_input_size_is_the_files_then_the_users_then_the_metadatas():
    fixed, open_ = io(), ModelIO("images", (1, 3, -1, -1), V8_COCO, {"imgsz": "[320, 416]"})
    assert input_size(fixed, ModelFlags()) == (640, 640)
    assert input_size(open_, ModelFlags()) == (416, 320), "Ultralytics writes height first"
    assert input_size(open_, ModelFlags(imgsz=(512, 512))) == (512, 512)
    assert input_size(ModelIO("images", (1, 3, -1, -1), V8_COCO), ModelFlags()) == (640, 640)
    with pytest.raises(UsageError, match="320x320"):
        input_size(fixed, ModelFlags(imgsz=(320, 320)))


@pytest.mark.parametrize("count", [79, 81, 1, 200])
@pytest.mark.parametrize("family", [None, "yolo_v8"])
def test_another_number_of_names_is_said_with_both_numbers_and_their_place(count, family):
    names = {"names": str({number: f"n{number}" for number in range(count)})}
    with pytest.raises(EdgeError, match=f"80 classes, and 'names' in the file's metadata names {count}") as caught:
        understand("m.onnx", io(metadata=names), ModelFlags(family=family))
    assert "--labels" in str(caught.value.hint)
    given = ModelFlags(family=family, labels=",".join(f"n{number}" for number in range(count)) + ",")
    with pytest.raises(EdgeError, match=f"80 classes, and --labels .* names {count}"):
        understand("m.onnx", io(metadata={"names": str(["x"] * 80)}), given)


def test_names_do_not_hide_that_the_outputs_are_of_no_detector():
    with pytest.raises(ModelError, match="these outputs are a classifier"):
        understand("m.onnx", io({"logits": (1, 1000)}, metadata={"names": "['a', 'b']"}))


def test_names_in_our_own_metadata_that_are_too_few():
    spec = ModelSpec("yolo_v8", (640, 640), labels=("a",) * 7)
    with pytest.raises(EdgeError, match="80 classes, and 'edge_runtime' in the file's metadata names 7"):
        understand("m.onnx", io(metadata={METADATA_KEY: spec.to_json()}))
