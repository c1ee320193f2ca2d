"""Files that are no detectors, or of kinds that are not read, are refused by their name and with a way out."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Optional, Tuple

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from edge_runtime.detect.detector import Detector
from edge_runtime.detect.understand import understand
from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.model import onnx_file
from edge_runtime.model.spec import ModelIO
from tests.tiny import write_onnx

Shapes = Dict[str, Tuple[int, ...]]
OUTPUTS: Dict[str, Tuple[Tuple[int, int], Shapes]] = {  # what is said: (height, width) of the input, outputs
    "a classifier: one value": ((224, 224), {"logits": (1, 1000)}),
    "a classifier: one value for each": ((224, 224), {"output": (1, 7, 1, 1)}),
    "features of the whole picture (faces, ReID)": ((112, 112), {"683": (1, 512)}),
    "features of the whole picture (faces": ((256, 128), {"embedding": (1, 751)}),
    "one map of classes (semantic segmentation)": ((512, 512), {"out": (1, 21, 512, 512)}),
    "one map of classes": ((512, 1024), {"logits": (1, 19, 128, 256)}),
    "the number of a class for each pixel": ((512, 512), {"argmax": (1, 1, 512, 512)}),
    "maps of features of several sizes": ((512, 512), {f"c{s}": (1, 8 * s, 512 // s, 512 // s) for s in (8, 16, 32)}),
    "CenterNet": ((512, 512), {"hm": (1, 80, 128, 128), "wh": (1, 2, 128, 128), "reg": (1, 2, 128, 128)}),
    "CenterNet: a heat map, sizes": ((512, 512), {"500": (1, 80, 128, 128), "501": (1, 2, 128, 128)}),
    "TAO DetectNet_v2": (
        (544, 960),
        {"output_bbox/BiasAdd:0": (1, 12, 34, 60), "output_cov/Sigmoid:0": (1, 3, 34, 60)},
    ),
    "heat maps of keypoints": ((256, 192), {"output": (1, 17, 64, 48)}),
    "SimCC": ((256, 192), {"simcc_x": (1, 17, 384), "simcc_y": (1, 17, 512)}),
    "one value for each pixel (depth": ((384, 384), {"depth": (1, 384, 384)}),
    "one value for each pixel": ((640, 640), {"sigmoid_0.tmp_0": (1, 1, 640, 640)}),
    "a picture (super-resolution": ((128, 128), {"output": (1, 3, 512, 512)}),
    "a reader of text (CTC)": ((32, 100), {"output": (26, 1, 37)}),
    "MediaPipe": ((192, 192), {"regressors": (1, 2016, 18), "classificators": (1, 2016, 1)}),
    "MediaPipe (palms": ((192, 192), {"Identity": (1, 2016, 18), "Identity_1": (1, 2016, 1)}),
    "five points, of an unknown layout": (
        (640, 640),
        {"loc": (1, 777, 4), "conf": (1, 777, 2), "landms": (1, 777, 10)},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("said", "file"), OUTPUTS.items(), ids=OUTPUTS.keys())
def test_outputs_are_named(said: str, file: Tuple[Tuple[int, int], Shapes]) -> None:
    size, outputs = file
    dtypes = {name: "int64" if name == "argmax" else "float32" for name in outputs}
    with pytest.raises(EdgeError) as caught:
        understand("m.onnx", ModelIO("input", (1, 3, *size), outputs, {}, dtypes))
    assert said in str(caught.value) and all(str(list(shape)) in str(caught.value) for shape in outputs.values())
    assert len(str(caught.value.hint)) < 200 and "yolo_fastestv2" not in str(caught.value.hint), "no list of families"


def test_what_is_unknown_shows_the_shapes_and_edge_identify() -> None:
    with pytest.raises(ModelError, match=r"no known detector has these outputs: a \[1, 7, 9, 11, 13\]") as caught:
        understand("m.onnx", ModelIO("input", (1, 3, 64, 64), {"a": (1, 7, 9, 11, 13)}))
    assert "edge-identify" in str(caught.value.hint) and "--family" in str(caught.value.hint)


def network(path: Path, inputs: Dict[str, Tuple[int, ...]]) -> str:
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    nodes = [helper.make_node("Identity", [infos[0].name], ["out"])]
    save(helper.make_model(helper.make_graph(nodes, "g", infos, [out])), str(path))
    return str(path)


INPUTS = {
    "a language model": {"input_ids": (1, 128), "attention_mask": (1, 128)},
    "pictures and texts": {"pixel_values": (1, 3, 224, 224), "input_ids": (1, 77)},
    "a model of sound": {"input_features": (1, 80, 3000)},
    "YOLOv3 of the ONNX model zoo": {"input_1": (1, 3, 416, 416), "image_shape": (1, 2)},
    "Faster R-CNN and Mask R-CNN": {"image": (3, 800, 800)},
    "grey pictures": {"Input3": (1, 1, 28, 28)},
    "several frames": {"clip": (1, 3, 16, 112, 112)},
    "several pictures": {"template": (1, 3, 127, 127), "search": (1, 3, 287, 287)},
    "without a picture": {"float_input": (1, 4)},
    "not an image detector": {"images": (1, 3, 640, 640), "secret": (1, 5)},
}


@pytest.mark.parametrize(("said", "inputs"), INPUTS.items(), ids=INPUTS.keys())
def test_inputs_are_named(said: str, inputs: Dict[str, Tuple[int, ...]], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        onnx_file.read_io(network(tmp_path / "m.onnx", inputs))
    assert str(list(next(iter(inputs.values())))) in str(caught.value) and caught.value.hint


def rockchip(classes: int, where: Optional[int]) -> Dict[str, np.ndarray]:
    """Nine maps: distances, activated scores, their sum; one object of the last class at stride 32, cell (6, 8)."""
    found = {}
    for side in (80, 40, 20):
        box, scores = np.zeros((1, 64, side, side), np.float32), np.full((1, classes, side, side), 0.001, np.float32)
        if side == 20 and where is not None:
            scores[0, where, 8, 6] = 0.9
            for part, bin_ in enumerate((3, 4, 5, 6)):
                box[0, 16 * part + bin_, 8, 6] = 30
        total = scores.sum(axis=1, keepdims=True).clip(0, 1)
        found.update({f"b{side}": box, f"c{side}": scores, f"s{side}": total})
    return found


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("classes", [80, 1, 3])
def test_rockchips_nine_outputs_are_read(classes: int, backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    path = write_onnx(tmp_path / "m.onnx", rockchip(classes, classes - 1), (1, 3, 640, 640))
    with Detector.open(path, conf=0.5, backend=backend, threads=1) as detector:
        (found,) = detector(np.zeros((640, 640, 3), np.uint8))
    assert found.class_id == classes - 1 and found.confidence == pytest.approx(0.9)
    x, y = 6.5 * 32, 8.5 * 32
    assert found.xyxy == pytest.approx((x - 3 * 32, y - 4 * 32, x + 5 * 32, y + 6 * 32), abs=0.1)


def test_a_reader_of_text_is_named_by_its_values(tmp_path: Path) -> None:
    steps = np.full((1, 40, 6625), 1e-5, np.float32)
    steps[0, :, 0] = 0.93
    steps[0, ::4] = 1e-5
    steps[0, ::4, 700] = 0.93
    path = write_onnx(tmp_path / "m.onnx", {"softmax_11.tmp_0": steps}, (1, 3, 48, 320))
    with pytest.raises(ModelError, match="probably a reader of text"):
        Detector.open(path, threads=1)


@pytest.mark.parametrize(
    ("said", "shape"),
    [("one map of classes", (1, 150, 16, 16)), ("maps of features", (1, 256, 64, 64))],
)
def test_what_only_the_values_refuse_is_named_too(said: str, shape: Tuple[int, ...], tmp_path: Path) -> None:
    sides = (64, 32, 16) if shape[1] == 256 else (16,)
    maps = {f"p{side}": np.zeros((1, shape[1], side, side), np.float32) for side in sides}
    with pytest.raises(ModelError, match=f"probably {said}") as caught:
        Detector.open(write_onnx(tmp_path / "m.onnx", maps, (1, 3, 512, 512)), threads=1)
    assert "--family" in str(caught.value.hint)
