"""Files of one picture run in batches, and what a batch finds is what each picture finds alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edge_runtime import Detector
from edge_runtime.backends import _batches
from edge_runtime.detect import batches
from edge_runtime.errors import ModelError
from edge_runtime.graph.batch import open_batch
from edge_runtime.imaging.picture import to_bgr
from tests.models import MODELS, PICTURES
from tests.tiny import boxes_v8, write_onnx

BACKENDS = ("onnxruntime", "openvino")
KINDS = ("yolo_v3", "yolo_v3_int8", "yolo_v5", "yolox")


def same(found: List[Any], expected: List[Any]) -> None:
    assert [len(each) for each in found] == [len(each) for each in expected] and any(map(len, found))
    for one, other in zip(found, expected):
        assert one.class_id.tolist() == other.class_id.tolist()
        np.testing.assert_allclose(one.xyxy, other.xyxy, atol=1e-3)
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_one_picture_finds_the_same_in_batches(backend: str, kind: str) -> None:
    pytest.importorskip(backend)
    path, pictures = MODELS / f"{kind}.onnx", [str(path) for path in (*PICTURES, *PICTURES[:2])]
    with Detector.open(path, backend=backend, threads=1, conf=0.1) as one:
        alone = [one(picture) for picture in pictures]
    with Detector.open(path, backend=backend, threads=1, conf=0.1, batch=3) as detector:
        assert detector.backend.batch == 3 and detector.backend.splits
        same(detector(pictures), alone)  # a full batch, and one of two


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_slot_that_is_not_full_runs_only_what_is_in_it(backend: str) -> None:
    pytest.importorskip(backend)
    with Detector.open(MODELS / "yolo_v5.onnx", backend=backend, threads=1, batch=3) as detector:
        full, single = detector.backend._slots[0].run, list(detector.backend._slots[0].each)
        ran: List[Any] = []
        detector.backend._slots[0].run = lambda: ran.append("all") or full()
        detector.backend._slots[0].each[:] = [lambda n=n: ran.append(n) or single[n]() for n in range(3)]
        images = [to_bgr(str(path)) for path in PICTURES]
        for count in (1, 2, 3):
            detector.backend.enqueue(0, images[:count])
            detector.backend.wait(0)
    assert ran == [0, 0, 1, "all"]


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "one.onnx", {"output0": boxes_v8((32, 32, 16, 16, 0.9, 0))})
    model = onnx.load(path)
    nodes = [helper.make_node("ReduceMax", ["output0"], ["best"], keepdims=1),
             helper.make_node("Min", ["output0", "best"], ["found"])]  # fmt: skip
    model.graph.node.extend(nodes)
    model.graph.output[0].name = "found"
    onnx.save(model, path)
    with Detector.open(path, family="yolo_v8", labels=["dog", "hot dog", "cat"], threads=1):
        pass
    with pytest.raises(ModelError, match="fixed at 1 and cannot be opened: ReduceMax best may mix") as caught:
        Detector.open(path, family="yolo_v8", labels=["dog", "hot dog", "cat"], batch=2)
    assert "leave --batch out" in str(caught.value.hint)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_open_file_that_mixes_pictures_is_refused(backend: str, tmp_path: Path) -> None:
    """An exporter opened the batch, but the network looks at all pictures at once."""
    pytest.importorskip(backend)
    model = open_batch(onnx.load(str(MODELS / "yolo_v8.onnx")))
    name, rest = model.graph.input[0].name, list(model.graph.node)
    for node in rest:
        node.input[:] = ["apart" if each == name else each for each in node.input]
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("ReduceMean", [name], ["mean"], axes=[0, 1, 2, 3], keepdims=1))
    model.graph.node.extend([helper.make_node("Sub", [name, "mean"], ["apart"]), *rest])
    path = str(tmp_path / "mixes.onnx")
    onnx.save(model, path)
    with Detector.open(path, backend=backend, threads=1):
        pass
    with pytest.raises(ModelError, match="gives other outputs in a batch of 2 than alone: by"):
        Detector.open(path, backend=backend, threads=1, batch=2)


def test_scores_of_another_picture_are_refused_beside_boxes_in_pixels(tmp_path: Path) -> None:
    """The boxes are those of each picture, and a hundred times as large as the scores."""
    model = open_batch(onnx.load(str(MODELS / "yolo_v6.onnx")))
    (output,) = (each.name for each in model.graph.output)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["whole" if each == output else each for each in names]
    numbers = {"axis": [2], "zero": [0], "one": [1], "four": [4], "end": [12]}
    stored = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in numbers.items()]
    model.graph.initializer.extend([*stored, numpy_helper.from_array(np.float32(0.05), "low")])
    model.graph.node.extend([
        helper.make_node("Slice", ["whole", "zero", "four", "axis"], ["boxes"]),
        helper.make_node("Slice", ["whole", "four", "end", "axis"], ["high"]),
        helper.make_node("Mul", ["high", "low"], ["scores"]),
        helper.make_node("Slice", ["scores", "zero", "one", "zero"], ["first"]),
        helper.make_node("Shape", ["scores"], ["sizes"]),
        helper.make_node("Expand", ["first", "sizes"], ["others"]),
        helper.make_node("Concat", ["boxes", "others"], [output], axis=2),
    ])  # fmt: skip
    path = str(tmp_path / "first.onnx")
    onnx.save(model, path)
    with pytest.raises(ModelError, match="gives other outputs in a batch of 2 than alone: by"):
        Detector.open(path, threads=1, batch=2)


def test_without_batches_no_file_is_read_for_them() -> None:
    assert not _batches.splits("there is no such file.onnx", 1)


def test_the_pictures_of_the_trial_differ() -> None:
    pictures = batches._pictures(20)
    assert len({picture.tobytes() for picture in pictures}) == 20
