"""The same small detector, written in the ways of many exporters: INT8 of each finds what the float one finds."""

from __future__ import annotations

from pathlib import Path
from typing import List

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge_runtime import calibrate
from edge_runtime.build import opset
from edge_runtime.detect.detector import Detector
from tests.models import MODELS, PICTURES
from tests.rewrites import REWRITES, node, nodes, put

BASE = MODELS / "yolo_v8.onnx"
IMAGES = [str(path) for path in PICTURES]
BACKENDS = ("onnxruntime", "openvino")


@pytest.fixture(scope="module")
def spec():
    with Detector.open(BASE, threads=1) as detector:
        return detector.model.spec


def outputs(path: Path, backend: str = "onnxruntime") -> List[List[np.ndarray]]:
    """The raw outputs of a model for each image."""
    with Detector.open(path, threads=1, backend=backend) as detector:
        found = []
        for image in IMAGES:
            detector(image)
            found.append([output[:1].copy() for output in detector.backend.outputs(0)])
    return found


@pytest.fixture(scope="module")
def expected():
    return outputs(BASE)


def noise(path: Path, expected, backend: str) -> float:
    """Power of the difference, by that of what the image changes in an output; the largest of all outputs."""
    found, worst = outputs(path, backend), 0.0
    for place in range(len(expected[0])):
        floats, others = (np.stack([each[place] for each in every]) for every in (expected, found))
        signal = np.square(floats - floats.mean(axis=0)).mean()
        worst = max(worst, float(np.square(floats - others).mean() / signal))
    return worst


def multiplying(model: onnx.ModelProto) -> List[onnx.NodeProto]:
    return [each for each in model.graph.node if each.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul")]


@pytest.mark.parametrize("name", REWRITES)
def test_int8_of_every_form(name, spec, expected, tmp_path):
    if name == "functions":
        pytest.importorskip("onnx.inliner", reason="this version of onnx cannot write functions out")
    path, result = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    onnx.save(REWRITES[name](onnx.load(BASE)), path)
    made = calibrate.calibrate(str(path), spec, IMAGES, "minmax")
    onnx.checker.check_model(made.model, full_check=True)
    rounded = {each.output[0] for each in made.model.graph.node if each.op_type == "DequantizeLinear"}
    assert all(rounded.issuperset(each.input[:2]) for each in multiplying(made.model)), "all of it is INT8"
    assert len(multiplying(made.model)) >= 8 and made.float_share == 0
    assert made.model.ByteSize() < onnx.load(BASE).ByteSize()
    onnx.save(made.model, result)
    for backend in BACKENDS:
        assert noise(result, expected, backend) < 0.02, backend
    onnx.checker.check_model(calibrate.tensorrt_form(made.model), full_check=True)


@pytest.mark.parametrize("name", ["float16_inside", "float16_everywhere"])
def test_a_float16_network_is_told(name, spec, tmp_path):
    onnx.save(REWRITES[name](onnx.load(BASE)), tmp_path / "float.onnx")
    made = calibrate.calibrate(str(tmp_path / "float.onnx"), spec, IMAGES[:1], "minmax")
    assert made.notes == ("the network is float16: INT8 is made of a float32 copy, which takes and gives float32",)
    types = {value.type.tensor_type.elem_type for value in (*made.model.graph.input, *made.model.graph.output)}
    assert types == {TensorProto.FLOAT}


@pytest.mark.parametrize("method", calibrate.METHODS)
def test_what_is_zero_or_constant_gets_a_range_and_a_note(method, spec, expected, tmp_path):
    model = REWRITES["a_dead_branch"](onnx.load(BASE))
    onnx.save(model, tmp_path / "float.onnx")
    made = calibrate.calibrate(str(tmp_path / "float.onnx"), spec, IMAGES, method)
    assert made.table.about["zero"] == ["off"]
    assert made.notes == ("1 activation is always zero on the images: any scale is right (off)",)
    again = calibrate.calibrate(str(tmp_path / "float.onnx"), spec, IMAGES, method, known=made.table)
    assert not again.fresh and again.notes == made.notes, "the table keeps it"
    onnx.save(made.model, tmp_path / "int8.onnx")
    onnx.save(calibrate.calibrate(str(BASE), spec, IMAGES, method).model, tmp_path / "without.onnx")
    for backend in BACKENDS:
        found, without = (noise(tmp_path / f"{name}.onnx", expected, backend) for name in ("int8", "without"))
        assert found < 1.2 * without + 0.01, "entropy clips much where there are few pictures, with the branch or not"


def test_what_two_activations_multiply_stays_in_float_and_is_counted(spec, tmp_path):
    model = onnx.load(BASE)
    conv = [each for each in model.graph.node if each.op_type == "Conv"][1]
    out = conv.output[0]
    put(model, "none", np.array(0, np.float32))
    conv.output[0] = "raw"
    products = [
        node("Transpose", ["raw"], "turned", perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["raw", "turned"], ["square"], name="attention"),
        node("ReduceMean", ["square"], "mean", axes=[2, 3], keepdims=1),
        node("Mul", ["mean", "none"], "nothing"),
        node("Add", ["raw", "nothing"], out),
    ]
    at = list(model.graph.node).index(conv) + 1
    nodes(model, [*model.graph.node[:at], *products, *model.graph.node[at:]])
    onnx.save(model, tmp_path / "float.onnx")
    made = calibrate.calibrate(str(tmp_path / "float.onnx"), spec, IMAGES[:1], "minmax")
    (left,) = (each for each in made.in_float if each.everywhere)
    assert left.name == "attention" and left.reason == "it multiplies two activations"
    info = onnx.shape_inference.infer_shapes(onnx.load(tmp_path / "float.onnx")).graph.value_info
    shape = [dim.dim_value for dim in next(v for v in info if v.name == "square").type.tensor_type.shape.dim]
    assert 0.01 < left.share < 0.9 and shape[2] == shape[3]


def test_kept_layers_are_named_with_the_reason(spec, tmp_path):
    made = calibrate.calibrate(str(BASE), spec, IMAGES[:1], "minmax", keep=["trunk2.linear"])
    everywhere = [each for each in made.in_float if each.everywhere]
    assert [(each.name, each.reason) for each in everywhere] == [("trunk2.linear", "it was asked for with --keep-fp")]
    assert made.float_share_onnxruntime > made.float_share == everywhere[0].share > 0


def test_a_fixed_batch_stays(spec, expected, tmp_path):
    """A Reshape to the batch: with another one the network would not run."""
    model = onnx.load(BASE)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 3
    conv = [each for each in model.graph.node if each.op_type == "Conv"][1]
    out, conv.output[0] = conv.output[0], "raw"
    info = onnx.shape_inference.infer_shapes(model).graph.value_info
    shape = [dim.dim_value for dim in next(v for v in info if v.name == "raw").type.tensor_type.shape.dim]
    put(model, "same", np.array([3, *shape[1:]], np.int64))
    at = list(model.graph.node).index(conv) + 1
    nodes(model, [*model.graph.node[:at], node("Reshape", ["raw", "same"], out), *model.graph.node[at:]])
    onnx.save(model, tmp_path / "float.onnx")
    made = calibrate.calibrate(str(tmp_path / "float.onnx"), spec, IMAGES, "auto")
    assert made.model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 3
    onnx.save(made.model, tmp_path / "int8.onnx")
    assert all(noise(tmp_path / "int8.onnx", expected, backend) < 0.02 for backend in BACKENDS)


def test_an_open_batch_and_size(spec, expected, tmp_path):
    model = onnx.load(BASE)
    for place, name in ((0, "batch"), (2, "height"), (3, "width")):
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_param = name
    for value in model.graph.output:
        for place, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.dim_param = f"open{place}"
    onnx.save(nodes(model, list(model.graph.node)), tmp_path / "float.onnx")
    made = calibrate.calibrate(str(tmp_path / "float.onnx"), spec, IMAGES, "minmax")
    onnx.save(made.model, tmp_path / "int8.onnx")
    assert all(noise(tmp_path / "int8.onnx", expected, backend) < 0.02 for backend in BACKENDS)


@pytest.mark.parametrize("method", ["minmax", "auto"])
def test_whole_numbers_with_channels_last(method, spec, expected, tmp_path):
    """(1, H, W, 3) uint8, scaled inside the network."""
    model = onnx.load(BASE)
    image = model.graph.input[0]
    height, width = (dim.dim_value for dim in image.type.tensor_type.shape.dim[2:])
    first = [node("Cast", ["pixels"], "floats", to=TensorProto.FLOAT),
             node("Transpose", ["floats"], image.name, perm=[0, 3, 1, 2])]  # fmt: skip
    nodes(model, [*first, *model.graph.node])
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, height, width, 3]))
    plain = REWRITES["as_it_is"](onnx.load(BASE))
    onnx.save(model, tmp_path / "float.onnx")
    made = calibrate.calibrate(str(tmp_path / "float.onnx"), spec, IMAGES, method)
    given = np.zeros((1, 3, height, width), np.float32)
    session = onnxruntime.InferenceSession(made.model.SerializeToString(), providers=["CPUExecutionProvider"])
    other = onnxruntime.InferenceSession(plain.SerializeToString(), providers=["CPUExecutionProvider"])
    for one, two in zip(session.run(None, {"pixels": given}), other.run(None, {image.name: given})):
        assert np.abs(one - two).mean() < 0.1 * max(np.abs(two).max(), 1)


def test_an_old_opset_is_raised_and_a_new_one_kept(spec, expected, tmp_path):
    """Conv and Relu mean the same in all of them."""
    newest = tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= (1, 22)  # the first that reads opset 22
    for version, ir in ((9, 4), (11, 6), (13, 7), (17, 8), *([(22, 10)] if newest else [])):
        model = onnx.load(BASE)
        model.opset_import[0].version, model.ir_version = version, ir
        onnx.save(model, tmp_path / "float.onnx")
        made = calibrate.calibrate(str(tmp_path / "float.onnx"), spec, IMAGES, "minmax")
        assert made.model.opset_import[0].version == max(version, 13)
        onnx.save(made.model, tmp_path / "int8.onnx")
        assert all(noise(tmp_path / "int8.onnx", expected, backend) < 0.02 for backend in BACKENDS)


def test_int8_is_not_calibrated_again(spec, tmp_path):
    """A file of ours keeps its table: ranges, what stays in float, and with it the form for TensorRT."""
    made = calibrate.calibrate(str(BASE), spec, IMAGES, "auto", keep=["trunk2.linear"])
    onnx.save(made.model, tmp_path / "ours.onnx")
    bare = onnx.ModelProto.FromString(made.model.SerializeToString())
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "theirs.onnx")
    assert calibrate.int8_already(str(BASE)) == ""
    assert "is INT8 already, edge-calibrate made it" in calibrate.int8_already(str(tmp_path / "ours.onnx"))
    again = calibrate.calibrate(str(tmp_path / "ours.onnx"), spec, IMAGES)
    assert again.model == made.model and again.table.ranges == made.table.ranges
    assert again.table.origin.method == "its own" and again.table.float_activations == made.table.float_activations
    assert calibrate.tensorrt_form(again.model) == calibrate.tensorrt_form(made.model)


@pytest.mark.parametrize("name", ["transposed_convolution_of_2_groups", "gemm_scaled", "shared_weights", "a_branch"])
def test_the_form_for_tensorrt_runs_too(name, spec, tmp_path):
    """ONNX Runtime runs it here: its outputs are those of the float network within the rounding."""
    onnx.save(REWRITES[name](onnx.load(BASE)), tmp_path / "float.onnx")
    made = calibrate.calibrate(str(tmp_path / "float.onnx"), spec, IMAGES, "minmax")
    form = opset.lower(calibrate.tensorrt_form(made.model), None)
    picture = cv2.cvtColor(cv2.resize(cv2.imread(IMAGES[0]), (128, 128)), cv2.COLOR_BGR2RGB)
    given = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / 255
    feed = {onnx.load(BASE).graph.input[0].name: given}
    ends = [
        onnxruntime.InferenceSession(each.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)
        for each in (onnx.load(BASE), form)
    ]
    for one, other in zip(*ends):
        assert np.square(one - other).mean() < 0.05 * one.var()
