"""Networks go down to the opset that a parser knows: the same numbers, or a sentence that names the operator."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, checker, helper, numpy_helper

from edge_runtime.build import forms, opset
from edge_runtime.errors import ModelError
from edge_runtime.gpu import trt
from tests.build.test_build import source
from tests.standins import tensorrt_api

ENGINES = Path(__file__).resolve().parents[2] / "engines"
VERSIONS = {"8.0": 13, "8.2": 13, "8.4": 13, "8.5": 17, "10.3": None, "10.13": None, "11": None, "rtx": None}


@pytest.fixture(autouse=True)
def nano(monkeypatch) -> None:
    monkeypatch.setattr(trt, "version", lambda: "tensorrt 8.0.1")


@pytest.mark.parametrize(("version", "limit"), VERSIONS.items())
def test_what_each_parser_knows(version, limit):
    assert set(VERSIONS) == set(tensorrt_api.VERSIONS) and opset.newest(tensorrt_api.module(version)) == limit


def test_10_0_and_10_1_are_told_by_a_name_that_they_lack():
    lib = tensorrt_api.module("10.3")
    names = [name for name in lib.BuilderFlag.__members__ if name != "REFIT_INDIVIDUAL"]
    assert opset.newest(SimpleNamespace(**{**vars(lib), "BuilderFlag": tensorrt_api._enum("BuilderFlag", names)})) == 20


def network(nodes: List[onnx.NodeProto], version: int, constants: Optional[Dict[str, Any]] = None) -> onnx.ModelProto:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 5, 6, 8])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "g", [given], [made], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def run(model: onnx.ModelProto) -> List[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    return session.run(None, {given.name: np.random.default_rng(1).random(given.shape, np.float32)})


def assert_lowered(model: onnx.ModelProto, limit: int) -> onnx.ModelProto:
    try:
        before = run(model)
    except Exception as error:
        if "opset" not in str(error) and "IR version" not in str(error):
            raise
        pytest.skip(f"this onnxruntime is too old for the file as it is: {str(error)[:200]}")
    assert opset.lower(model, limit) is model and model.opset_import[0].version == limit and model.ir_version <= 8
    checker.check_model(model, full_check=True)
    for one, other in zip(before, run(model)):
        np.testing.assert_array_equal(one, other)
    return model


@pytest.mark.parametrize("limit", [13, 17])
@pytest.mark.parametrize(
    ("file", "precision"),
    [("models/yolov8/yolov8n_640_fp32deq.onnx", "fp16"), ("models/yolo11/yolo11n_320_int8qdq.onnx", "int8"),
     ("models/yolov10/yolov10n_640_fp32deq.onnx", "fp32")],
)  # fmt: skip
def test_files_of_others_keep_every_bit(shared, file, precision, limit):
    form = forms.form(source(shared / file), precision, False)
    if form.opset_import[0].version > limit:
        assert_lowered(form, limit)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_our_own_files_reach_the_nano(precision):
    assert_lowered(forms.form(source(ENGINES / "yolo_nano_voc_int8.onnx"), precision, False), 13)


def test_what_is_old_enough_or_has_no_limit_is_left_alone():
    model = network([helper.make_node("Relu", ["x"], ["y"])], 14)
    before = model.SerializeToString()
    for limit in (14, 17, None):
        assert opset.lower(model, limit).SerializeToString() == before


REDUCE = helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=1)
CASES: List[Tuple[str, List[onnx.NodeProto], Dict[str, Any], int]] = [
    ("axes of a reduction", [REDUCE], {"axes": np.array([2, 3])}, 18),
    ("equal parts", [helper.make_node("Split", ["x"], ["y", "z"], axis=3, num_outputs=2)], {}, 18),
    ("a smaller last part", [helper.make_node("Split", ["x"], ["y", "z"], axis=1, num_outputs=2)], {}, 18),
    ("parts behind a reduction", [helper.make_node("ReduceMean", ["x", "axes"], ["a"]),
                                  helper.make_node("Split", ["a"], ["y", "z"], axis=1, num_outputs=2)],
     {"axes": np.array([3])}, 18),
    ("parts from the end", [helper.make_node("Split", ["x"], ["y", "z"], axis=-1, num_outputs=2)], {}, 18),
    ("parts that are told", [helper.make_node("Split", ["x", "n"], ["y", "z"], axis=1)], {"n": np.array([2, 3])}, 21),
    ("allowzero of old", [helper.make_node("Reshape", ["x", "n"], ["y"], allowzero=0)], {"n": np.array([0, -1])}, 14),
    ("allowzero, no zeros", [helper.make_node("Reshape", ["x", "n"], ["y"], allowzero=1)], {"n": np.array([-1])}, 19),
    ("Resize", [helper.make_node("Resize", ["x", "", "s"], ["y"], mode="nearest", antialias=0,
                                 keep_aspect_ratio_policy="stretch")], {"s": np.array([1, 1, 2, 2], np.float32)}, 19),
    ("a dictionary of types", [helper.make_node("Conv", ["x", "w"], ["a"]), helper.make_node("Relu", ["a"], ["y"])],
     {"w": np.ones((4, 5, 1, 1), np.float32)}, 22),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "constants", "version"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_operators_are_written_as_they_were(nodes, constants, version):
    assert_lowered(network(nodes, version, constants), 13)


@pytest.mark.parametrize(
    ("node", "constants", "said"),
    [
        (helper.make_node("HardSwish", ["x"], ["y"], name="swish"), {},
         "HardSwish swish does not exist in the older opset"),
        (helper.make_node("LayerNormalization", ["x", "s"], ["y"]), {"s": np.ones(8, np.float32)},
         "LayerNormalization y does not exist in the older opset"),
        (helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear", antialias=1),
         {"s": np.array([1, 1, 0.5, 0.5], np.float32)}, "Resize y has no antialias in the older opset"),
        (helper.make_node("Reshape", ["x", "n"], ["y"], allowzero=1), {"n": np.array([0, 3])}, "has no allowzero"),
        (helper.make_node("ReduceMean", ["x", "computed"], ["y"]), {},
         "ReduceMean y has at most 1 inputs in the older opset"),
        (helper.make_node("GridSample", ["x", "grid"], ["y"]), {}, "GridSample y does not exist in the older opset"),
        (helper.make_node("RoiAlign", ["x", "rois", "k"], ["y"]), {},
         "RoiAlign y means something else in the older opset"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_named_with_the_way_out(node, constants, said):
    with pytest.raises(ModelError, match=r"tensorrt 8\.0\.1 reads opset 13, the file has 21") as caught:
        opset.lower(network([node], 21, constants), 13)
    assert said in str(caught.value) and "opset 13" in str(caught.value.hint)


def test_networks_within_the_network_are_not_rewritten_unseen():
    inner = helper.make_graph([helper.make_node("Relu", ["x"], ["z"])], "b", [],
                              [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)])  # fmt: skip
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    with pytest.raises(ModelError, match="If y cannot be rewritten"):
        opset.lower(network([node], 18, {"c": np.array(True)}), 17)


def test_operators_of_other_domains_are_left_alone():
    node = helper.make_node("Odd", ["x"], ["y"], domain="mine", wheels=4)
    model = network([helper.make_node("Relu", ["x"], ["y"])], 20)
    model.graph.node[0].CopyFrom(node)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    assert opset.lower(model, 17).graph.node[0] == node and [o.version for o in model.opset_import] == [17, 1]
