"""What the host finds in a file, the device finds in the plan of it: families, lists of exporters, kinds of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from edge_runtime.detect.detector import Detector
from edge_runtime.types import Detections
from tests.detect.test_finished_lists import FILES, IMAGE
from tests.exporters import write_export, write_suppressing
from tests.models import FLOAT, PICTURES
from tests.standins.board import Board

pytest.importorskip("onnxruntime")
Find = Callable[..., List[Detections]]


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Find:
    """Detections in some pictures: on the host, and on a device with this TensorRT if a version is named."""

    def run(path: str, pictures: List[Any], version: str = "", conf: float = 0.3) -> List[Detections]:
        if version:
            board, plan = Board(monkeypatch, version), tmp_path / "made.plan"
            board.build(Path(path), plan, "--precision", "fp32")
            path = str(plan)
        with Detector.open(path, backend=None if version else "onnxruntime", conf=conf, threads=1) as detector:
            found = detector(pictures)
        if version:
            assert not board.gpu.held and not board.gpu.faults
        return found

    return run


def assert_same(device: List[Detections], host: List[Detections], pixels: float = 0.02) -> None:
    assert [len(one) for one in device] == [len(one) for one in host]
    for one, other in zip(device, host):
        assert [row.label for row in one] == [row.label for row in other]
        np.testing.assert_allclose(one.xyxy, other.xyxy, atol=pixels)
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-3)


@pytest.mark.parametrize("path", FLOAT, ids=lambda path: path.stem)
def test_every_family(find: Find, path: Path) -> None:
    pictures = [cv2.imread(str(picture)) for picture in PICTURES]
    host = find(str(path), pictures, conf=0.03)
    assert sum(map(len, host)) > 2
    assert_same(find(str(path), pictures, "10.3", conf=0.03), host)


@pytest.mark.parametrize("version", ["8.2", "8.5", "10.3"])
@pytest.mark.parametrize("name", FILES)
def test_lists_of_exporters(find: Find, name: str, version: str, tmp_path: Path) -> None:
    make, form = FILES[name]
    path = write_export(tmp_path / "export.onnx", make(), **{"inputs": IMAGE, **form})
    blank = [np.zeros((640, 640, 3), np.uint8)]
    host = find(path, blank)
    assert [row.label for row in host[0]] == ["dog"]
    assert_same(find(path, blank, version), host)


@pytest.mark.parametrize("version", ["8.5", "10.3"])
@pytest.mark.parametrize("columns", ["table", "apart"])
def test_a_list_has_another_length_for_each_picture(find: Find, columns: str, version: str, tmp_path: Path) -> None:
    corner = np.arange(5, dtype=np.float32)[:, None] * 10 + np.array([1, 1], np.float32)
    boxes, scores = np.concatenate([corner, corner + 8], axis=1), np.array([0.9, 0.7, 0.5, 0.3, 0.1], np.float32)
    path = write_suppressing(tmp_path / "export.onnx", boxes, scores, columns)
    counts = {0: 5, 102: 3, 204: 1, 255: 0, 153: 2}
    found = find(path, [np.full((64, 64, 3), level, np.uint8) for level in counts], version, conf=0.05)
    assert [len(one) for one in found] == list(counts.values())
    for one, count in zip(found, counts.values()):
        np.testing.assert_allclose(one.xyxy, boxes[:count], atol=1e-3)


KINDS: Dict[str, Any] = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def write_seeing(path: Path, kind: str, channels_last: bool) -> str:
    """A network that finds one box, whose corners are moved by the mean of each channel. A class of 0 is its second."""
    shape, axes = ([1, 64, 64, 3], [1, 2]) if channels_last else ([1, 3, 64, 64], [2, 3])
    scale = 0.1 if kind == "uint8" else 25.5
    rows = np.zeros((1, 100, 6), np.float32)
    rows[0, 0] = 5, 6, 30, 31, 0.9, 1
    moved = np.zeros((100, 3, 6), np.float32)
    moved[0, [0, 1, 2], [0, 1, 2]] = scale
    constants = {"rows": rows, "moved": moved, "column": np.array([1, 1, 1, 3], np.int64)}
    nodes = [
        helper.make_node("Cast", ["images"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["cast"], ["means"], axes=axes, keepdims=0),
        helper.make_node("Reshape", ["means", "column"], ["row"]),
        helper.make_node("MatMul", ["row", "moved"], ["by"]),
        helper.make_node("Squeeze", ["by", "axis"], ["by3"]),
        helper.make_node("Add", ["rows", "by3"], ["output0"]),
    ]
    constants["axis"] = np.array([2], np.int64)
    graph = helper.make_graph(
        nodes, "seeing", [helper.make_tensor_value_info("images", KINDS[kind], shape)],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, rows.shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return str(path)


@pytest.mark.parametrize("version", ["8.2", "10.3"])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_reaches_the_network(
    find: Find, kind: str, channels_last: bool, version: str, tmp_path: Path
) -> None:
    path = write_seeing(tmp_path / "seeing.onnx", kind, channels_last)
    picture = np.empty((64, 64, 3), np.uint8)
    picture[:] = 20, 60, 110  # blue, green, red
    picture[::2] += 30  # the means are 35, 75 and 125
    host = find(path, [picture])
    np.testing.assert_allclose(host[0].xyxy, [[5 + 12.5, 6 + 7.5, 30 + 3.5, 31]], atol=0.1)
    assert_same(find(path, [picture], version), host, 0.1)
