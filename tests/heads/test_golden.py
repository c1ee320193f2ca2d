"""Against implementations that are not ours: tools/make_golden.py's files, and a network's own decode tail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime import heads
from edge_runtime.model.spec import ModelIO, ModelSpec

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.npz"))


def load(path: Path):
    with np.load(path) as file:
        names = sorted((name for name in file.files if name.startswith("output")), key=lambda name: int(name[6:]))
        tensors = [file[name].astype(np.float32) for name in names]
        spec = ModelSpec.from_json(str(file["spec"]))
        return spec, tensors, float(file["conf"]), file["rows"]


def model_io(spec, tensors) -> ModelIO:
    width, height = spec.input_wh
    return ModelIO("images", (1, 3, height, width), {f"out{i}": t.shape for i, t in enumerate(tensors)})


def test_families_without_a_trained_model_have_a_golden_file():
    families = {load(path)[0].family for path in GOLDEN}
    faces = {"scrfd", "yunet", "retinaface", "ultraface_raw", "blazeface", "yolo_v5_face"}
    assert families == {"yolo_v2", "yolo_v3", "yolo_v5", "yolo_v8", "ssd", "efficientdet", "yolo_fastestv2", *faces}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_numpy_decode_finds_the_golden_rows(path, plain, assert_same):
    spec, tensors, conf, rows = load(path)
    boxes, scores = heads.load_head(spec.family).decode([tensor[0] for tensor in tensors], spec)
    assert_same(plain(boxes, scores, spec.input_wh, conf, 1.0), rows)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_native_decode_finds_the_golden_rows(path, native, assert_same):
    spec, tensors, conf, rows = load(path)
    decode = heads.load_head(spec.family).describe(model_io(spec, tensors), spec)
    assert decode is not None
    assert_same(native(decode, tensors, spec.input_wh, conf, 1.0), rows)


def test_raw_v8_heads_decode_to_what_the_network_decodes_itself(shared, tmp_path):
    """The graph is cut before its decode tail; box and class maps apart, and joined as other exporters leave them."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    if tuple(map(int, runtime.__version__.split(".")[:2])) < (1, 17):
        pytest.skip("needs an ONNX Runtime that knows opset 20")
    path, cut = shared / "models" / "yolov8" / "yolov8n_640_fp32deq.onnx", tmp_path / "cut.onnx"
    ends = [f"/model.22/{part}.{level}/{part}.{level}.2/Conv_output_0" for part in ("cv3", "cv2") for level in range(3)]
    onnx.utils.extract_model(str(path), str(cut), ["images"], ends)  # classes, then boxes
    image = np.random.RandomState(1).uniform(0, 1, (1, 3, 640, 640)).astype(np.float32)
    whole, headless = (runtime.InferenceSession(str(p), providers=["CPUExecutionProvider"]) for p in (path, cut))
    spec = ModelSpec("yolo_v8", (640, 640), tuple(str(i) for i in range(80)))
    expected = heads.load_head("yolo_v8").decode([whole.run(None, {"images": image})[0][0]], spec)
    maps = [output[0] for output in headless.run(None, {"images": image})]
    joined = [np.concatenate([maps[3 + level], maps[level]]) for level in (2, 0, 1)]
    for raw in (maps, joined):
        boxes, scores = heads.load_head("yolo_v8").decode(raw, spec)
        np.testing.assert_allclose(boxes, expected[0], atol=2e-3)
        np.testing.assert_allclose(scores, expected[1], atol=1e-5)
