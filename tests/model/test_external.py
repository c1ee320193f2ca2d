"""Weights in files beside the model: read there, part of its hash, gone from what is made of it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime.calibrate import origins
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError
from edge_runtime.graph.network import Network
from edge_runtime.model import external, onnx_file
from tests.models import MODELS

BASE = MODELS / "yolo_v8.onnx"


@pytest.fixture
def apart(tmp_path) -> Path:
    """The model with all its weights in m.onnx.data."""
    path = tmp_path / "m.onnx"
    onnx.save(onnx.load(BASE), str(path), save_as_external_data=True, location="m.onnx.data", size_threshold=0)
    return path


def weights(model: onnx.ModelProto):
    return Network(model).constants


def test_they_are_read_beside_the_model_from_any_folder(apart, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    raw = np.frombuffer((tmp_path / "m.onnx.data").read_bytes(), np.float32)
    Path("m.onnx.data").write_bytes((raw * 3).tobytes())
    expected, found = weights(onnx.load(BASE)), weights(onnx_file.load_whole(str(apart)))
    assert expected.keys() == found.keys()
    assert all(np.array_equal(expected[name], found[name]) for name in expected)
    assert not external.files_of(onnx_file.load_whole(str(apart)), str(apart)), "one file from now on"


def test_a_change_of_them_is_a_change_of_the_model(apart):
    with Detector.open(BASE, threads=1) as detector:
        spec = detector.model.spec
    before = onnx_file.digest(str(apart)), origins.origin(str(apart), [], spec, "mse")
    data = apart.with_name("m.onnx.data")
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(bytes(content))
    after = onnx_file.digest(str(apart)), origins.origin(str(apart), [], spec, "mse")
    assert before[0] != after[0] and before[1].model != after[1].model


def test_the_hash_of_a_file_with_its_weights_is_that_of_its_bytes():
    import hashlib

    assert onnx_file.digest(str(BASE)) == hashlib.sha256(BASE.read_bytes()).hexdigest()
    assert onnx_file.size_of(str(BASE)) == BASE.stat().st_size


def test_a_missing_file_is_named(apart):
    apart.with_name("m.onnx.data").unlink()
    with pytest.raises(ModelError, match=r"keeps its weights in m\.onnx\.data, which is missing") as failure:
        Detector.open(apart)
    assert "copy it to that place" in str(failure.value.hint)


def test_a_short_file_is_named(apart):
    os.truncate(apart.with_name("m.onnx.data"), 100)
    with pytest.raises(ModelError, match=r"cannot be read from m\.onnx\.data"):
        onnx_file.load_whole(str(apart))


def test_more_than_one_file_can_hold_is_refused(apart):
    os.truncate(apart.with_name("m.onnx.data"), external.MOST_BYTES)
    with pytest.raises(ModelError, match=r"has 2\.1 GB of weights, and one ONNX file holds at most 2 GB"):
        onnx_file.load_whole(str(apart))


def test_constants_in_nodes_and_branches_are_found_too():
    def tensor(place: str) -> onnx.TensorProto:
        made = helper.make_tensor("t", TensorProto.FLOAT, [1], [1.0])
        made.ClearField("float_data")
        made.data_location = TensorProto.EXTERNAL
        made.external_data.add(key="location", value=place)
        return made

    inner = helper.make_graph([helper.make_node("Constant", [], ["y"], value=tensor("b.bin"))], "inner", [], [])
    nodes = [
        helper.make_node("Constant", [], ["x"], value=tensor("a.bin")),
        helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner),
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", [], [], [tensor("c.bin")]))
    assert external.files_of(model, "/models/m.onnx") == tuple(f"/models/{name}.bin" for name in "abc")


def test_a_network_is_never_made_of_weights_that_are_not_there(apart):
    with pytest.raises(ModelError, match="are in another file"):
        Network(onnx_file.load_onnx(str(apart)))
