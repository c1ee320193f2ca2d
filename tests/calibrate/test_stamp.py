"""A verdict in a file is about that file: one of another network, preparation or range table is not taken."""

from __future__ import annotations

import onnx
import pytest

from edge_runtime.accuracy.evidence import AGREEMENT, AP, Evidence
from edge_runtime.calibrate import forms, stamp
from edge_runtime.calibrate.ranges.table import RangeTable
from edge_runtime.errors import ModelError
from edge_runtime.model.spec import VERDICT_KEYS, ModelSpec
from tests.models import INT8

SEEN = Evidence(AP, 0.25, -0.5, 1.0, 900, 100)


@pytest.fixture
def model() -> onnx.ModelProto:
    return onnx.load(INT8[0])


def props(model: onnx.ModelProto) -> dict:
    keys = [entry.key for entry in model.metadata_props]
    assert len(keys) == len(set(keys)), "no key twice"
    return {entry.key: entry.value for entry in model.metadata_props}


def test_a_verdict_comes_back(model, tmp_path):
    stamp.write_verdict(model, "Use INT8.", SEEN)
    onnx.save(model, tmp_path / "m.onnx")
    again = onnx.load(tmp_path / "m.onnx")
    assert stamp.read_evidence(again, "m.onnx") == SEEN
    assert props(again)["verdict"] == "Use INT8." and props(again)["drop"] == "0.25"


def test_a_second_verdict_takes_the_place_of_the_first(model):
    stamp.write_verdict(model, "Use INT8.", SEEN)
    stamp.write_verdict(model, "Do not.", Evidence(AGREEMENT, 40.0, 30.0, 50.0, 900, 100))
    assert (
        props(model)["verdict"] == "Do not." and props(model)["disagreement"] == "40.00" and "drop" not in props(model)
    )
    stamp.write_verdict(model, "They cannot say.", Evidence(AGREEMENT, 0.0, 0.0, 0.0, 0, 12))
    assert not {"drop", "disagreement"} & set(props(model)), "no box was seen, so there is no loss to tell"
    stamp.write_verdict(model, "It is INT8 already.", None)
    assert stamp.read_evidence(model, "m.onnx") is None


def test_a_verdict_of_another_network_is_not_taken(model):
    stamp.write_verdict(model, "Use INT8.", SEEN)
    for change in (weights, preparation, ranges):
        other = onnx.ModelProto()
        other.CopyFrom(model)
        change(other)
        assert stamp.read_evidence(model, "m.onnx") == SEEN and stamp.read_evidence(other, "m.onnx") is None


def weights(model: onnx.ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.raw_data)
    tensor.raw_data = bytes([tensor.raw_data[0] ^ 1]) + tensor.raw_data[1:]


def preparation(model: onnx.ModelProto) -> None:
    entry = next(entry for entry in model.metadata_props if entry.key == "edge_runtime")
    entry.value = entry.value.replace('"color": "bgr"', '"color": "other"').replace(
        '"color": "rgb"', '"color": "other"'
    )
    assert "other" in entry.value


def ranges(model: onnx.ModelProto) -> None:
    entry = next(entry for entry in model.metadata_props if entry.key == "ranges")
    entry.value += " "


def test_damaged_evidence_is_an_error(model):
    stamp.write_verdict(model, "Use INT8.", SEEN)
    entry = next(entry for entry in model.metadata_props if entry.key == "evidence")
    entry.value = "{"
    with pytest.raises(ModelError, match="verdict in m"):
        stamp.read_evidence(model, "m.onnx")


def test_a_new_calibration_keeps_no_verdict_of_the_file_it_came_from(model):
    stamp.write_verdict(model, "Use INT8.", SEEN)
    table, spec = RangeTable.from_json(props(model)["ranges"]), ModelSpec.from_json(props(model)["edge_runtime"])
    assert not set(VERDICT_KEYS) & set(props(forms.with_metadata(model, spec, table)))


def test_the_form_for_tensorrt_keeps_no_verdict_on_the_other_form(model):
    stamp.write_verdict(model, "Use INT8.", SEEN)
    form = forms.tensorrt_form(model)
    assert "ranges" in props(form) and not set(VERDICT_KEYS) & set(props(form))
