"""Calibration as one step: a small detector in, an INT8 file that describes itself out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from edge_runtime import calibrate, zoo
from edge_runtime.backends import BackendOptions
from edge_runtime.calibrate import observations, origins
from edge_runtime.calibrate.ranges.table import RangeTable
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError
from edge_runtime.graph.network import Network
from edge_runtime.model.labels import VOC
from edge_runtime.model.spec import METADATA_KEY, RANGES_KEY, ModelSpec
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx

ARCHITECTURE = zoo.build("tiny_yolo_v3", VOC, 64)
SPEC = ARCHITECTURE.spec


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("model") / "m.onnx"
    metadata = {"license": "free", "measured": "of the float model"}
    onnx.save(to_onnx(ARCHITECTURE, weights.random(ARCHITECTURE, 2), metadata=metadata), path)
    return str(path)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(6)]
    for path in paths:
        cv2.imwrite(str(path), generator.integers(0, 255, (50, 70, 3), np.uint8))
    return [str(path) for path in paths]


def metadata(made: calibrate.Calibrated):
    return {entry.key: entry.value for entry in made.model.metadata_props}


@pytest.fixture(scope="module")
def made(model, images) -> calibrate.Calibrated:
    return calibrate.calibrate(model, SPEC, images)


def test_the_file_describes_itself(made, tmp_path):
    onnx.checker.check_model(made.model, full_check=True)
    about = metadata(made)
    assert RangeTable.from_json(about[RANGES_KEY]).ranges.keys() == made.table.ranges.keys()
    assert ModelSpec.from_json(about[METADATA_KEY]) == SPEC
    assert about["license"] == "free" and "measured" not in about
    onnx.save(made.model, tmp_path / "m.onnx")
    for backend in ("onnxruntime", "openvino"):
        with Detector.open(str(tmp_path / "m.onnx"), options=BackendOptions(backend=backend)) as detector:
            assert not detector.model.notes
            assert ("lighter form" in detector.backend.description) == (backend == "openvino")
            detector(np.zeros((30, 40, 3), np.uint8))


@pytest.mark.parametrize("method", calibrate.METHODS)
def test_every_method(model, images, method):
    made = calibrate.calibrate(model, SPEC, images, method)
    assert made.table.origin.method == method and made.fresh
    assert bool(made.noise) == (method == "auto")
    kinds = [node.op_type for node in made.model.graph.node]
    assert kinds.count("Conv") == 13 and kinds.count("QuantizeLinear") > 10


def test_an_equal_table_is_used_and_gives_the_same_file(model, images, made, monkeypatch):
    monkeypatch.setattr(observations, "collect", None)
    again = calibrate.calibrate(model, SPEC, images, known=RangeTable.from_json(made.table.to_json()))
    assert not again.fresh
    assert again.model.SerializeToString(deterministic=True) == made.model.SerializeToString(deterministic=True)


@pytest.mark.parametrize("change", ["model", "images", "preprocessing", "method", "keep"])
def test_a_table_of_another_origin_is_never_used(model, images, made, tmp_path, change):
    said = {"path": model, "spec": SPEC, "images": images, "known": made.table}
    if change == "model":
        other = onnx.load(model)
        other.doc_string = "changed"
        onnx.save(other, tmp_path / "other.onnx")
        said["path"] = str(tmp_path / "other.onnx")
    elif change == "images":
        said["images"] = images[::-1]
    elif change == "preprocessing":
        said["spec"] = replace(SPEC, color="bgr" if SPEC.color == "rgb" else "rgb")
    elif change == "method":
        said["method"] = "minmax"
    else:
        said["keep"] = [onnx.load(model).graph.node[0].output[0]]
    assert calibrate.calibrate(**said).fresh


def test_names_of_classes_do_not_make_a_table_stale(model, images):
    renamed = replace(SPEC, labels=tuple(f"class {k}" for k in range(20)))
    assert origins.origin(model, images, SPEC, "mse") == origins.origin(model, images, renamed, "mse")


def test_kept_layers_stay_float(model, images):
    first = next(node for node in onnx.load(model).graph.node if node.op_type == "Conv")
    made = calibrate.calibrate(model, SPEC, images, "minmax", keep=[first.name or first.output[0]])
    network = Network(made.model)
    conv = next(node for node in network.nodes if node.op_type == "Conv")
    assert conv.input[1] in network.constants and network.constants[conv.input[1]].dtype == np.float32
    with pytest.raises(ModelError, match="no layer 'nonsense'"):
        calibrate.calibrate(model, SPEC, images, "minmax", keep=["nonsense"])


@pytest.mark.parametrize("float16", [False, True])
def test_tensorrts_form_comes_out_of_the_file(made, float16):
    form = Network(calibrate.tensorrt_form(made.model, float16))
    onnx.checker.check_model(form.model, full_check=True)
    convs = [node for node in form.nodes if node.op_type == "Conv"]
    assert len(convs) == 13
    rounded = "Cast" if float16 else "DequantizeLinear"  # behind which float16 begins
    free = {f"{name}.half" if float16 else name for name in made.table.float_activations}
    for node in convs:
        inputs = [form.producer(name).op_type for name in node.input[:2]]
        assert inputs[1] == rounded and (inputs[0] == rounded or node.input[0] in free)
    zeros = [form.constants[n.input[2]] for n in form.nodes if n.op_type == "QuantizeLinear"]
    assert zeros and all(zero.dtype == np.int8 and not zero.any() for zero in zeros)


def test_without_a_table_there_is_no_tensorrt_form(model):
    with pytest.raises(ModelError, match="carries no range table"):
        calibrate.tensorrt_form(onnx.load(model))


def test_a_quantised_file_keeps_its_own_scales(made, images, tmp_path):
    bare = onnx.ModelProto.FromString(made.model.SerializeToString())
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "qat.onnx")
    passed = calibrate.calibrate(str(tmp_path / "qat.onnx"), SPEC, images)
    assert passed.model.graph == bare.graph
    assert passed.table.origin.method == "its own"
    for name, (low, high) in passed.table.ranges.items():
        step = (high - low) / 255
        assert made.table.ranges[name][1] <= high + step, "wider where it shares its scale with another"


def test_the_found_file_that_lost_half_its_accuracy_is_recognised(shared: Path):
    """yolo11n_320_int8qdq.onnx: quantised by someone else; calibrating it again would not bring anything back."""
    with Detector.open(str(shared / "models/yolo11/yolo11n_320_int8qdq.onnx")) as detector:
        spec = detector.model.spec
    try:
        made = calibrate.calibrate(str(shared / "models/yolo11/yolo11n_320_int8qdq.onnx"), spec, [])
    except ModelError as error:
        assert "partly quantised" in str(error) and error.hint
    else:
        assert made.table.origin.method == "its own"
