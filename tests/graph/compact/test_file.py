"""A file is compacted as a whole: what it says about itself stays, what differs is refused, and nothing is written."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import helper

from edge_runtime.errors import BackendUnavailable, ModelError, UsageError
from edge_runtime.graph.compact import __main__ as command
from edge_runtime.graph.compact import compact, others, run
from edge_runtime.graph.compact.report import counted
from edge_runtime.graph.compact.run import Runner, difference, random_feeds
from edge_runtime.graph.float32 import to_float32
from edge_runtime.graph.network import Network
from tests.graph.compact import split
from tests.graph.compact.networks import SHAPE, bias, compacted, model, node, shapes, weights


def pruned(shape=SHAPE, kind=np.float32, **more) -> onnx.ModelProto:
    nodes = [node("Conv", "x w b", "a", pads=[1] * 4), node("Relu", "a", "r"), node("Conv", "r v c", "y")]
    held = {"w": weights(8, 3, 3, 3, dead=[0, 1, 4]), "b": bias(8), "v": weights(4, 8, 1, 1), "c": bias(4)}
    made = model(nodes, shape=shape, **{name: value.astype(kind) for name, value in held.items()}, **more)
    helper.set_model_props(made, {"edge_runtime": '{"family": "none"}', "names": "{0: 'cat'}"})
    return made


def test_metadata_names_and_an_open_batch_stay():
    made, _ = compacted(pruned(shape=["N", 3, 10, 12]))
    assert shapes(made)["a"] == (5, 3, 3, 3)
    assert {entry.key: entry.value for entry in made.metadata_props}["names"] == "{0: 'cat'}"
    assert made.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert [value.name for value in (*made.graph.input, *made.graph.output)] == ["x", "y"]


def test_a_network_without_dead_filters_stays_as_it_is():
    first, _ = compact(pruned(), multiple=1)
    again, report = compact(first, multiple=1)
    assert again == first and report.before == report.after and not report.saved
    assert report.lines()[0] == "no multiply-adds are saved: the file stays as it is"


def test_the_split_of_the_paper_is_the_same_and_never_has_fewer_macs():
    file = pruned()
    oracle, (made, report) = split.split(file), compacted(file)
    for feed in random_feeds(file, 2):
        plain, apart = Runner(file).run(feed), Runner(oracle).run(feed)
        assert difference(plain, apart) <= 1e-7 and difference(apart, Runner(made).run(feed)) <= 2e-6
    assert split.macs(made) < split.macs(oracle) < split.macs(file)
    assert (split.macs(file), split.macs(made)) == (report.before.macs, report.after.macs)


def test_the_report_counts():
    _, report = compact(pruned(), multiple=1)
    assert report.before.filters == {"a": (8, 3), "y": (4, 0)} and report.after.filters == {"a": (5, 0), "y": (4, 0)}
    assert report.before.parameters == 216 + 8 + 32 + 4 and report.after.parameters == 135 + 5 + 20 + 4
    assert (report.before.weights, report.before.zeros) == (248, 81)
    assert (report.before.groups, report.before.thin) == (8, 0), "only the second layer has four neighbours"
    thin = pruned()
    weight = weights(4, 8, 1, 1)
    weight[:, [0, 3]] = 0
    thin.graph.initializer[2].CopyFrom(onnx.numpy_helper.from_array(weight, "v"))
    assert compact(thin, multiple=1)[1].before.thin == 4
    assert any("2:4" in line for line in report.lines()) and json.dumps(report.to_dict())


@pytest.mark.parametrize(("reads", "shape", "weight"), [("w x", (1, 8, 12), (4, 8)), ("x w", (2, 6, 8), (2, 8, 4))])
def test_neighbours_are_input_channels_where_a_product_has_no_filters(reads, shape, weight):
    held = np.ones(weight, np.float32)
    held[:, 4:6] = 0
    found = counted(Network(model([node("MatMul", reads, "y")], shape=shape, w=held)))
    assert (found.groups, found.thin) == (held.size // 4, held.size // 8)


def test_what_differs_too_much_is_refused():
    with pytest.raises(ModelError, match="differs by") as caught:
        compact(pruned(), tolerance=0.0, multiple=1)
    assert caught.value.hint


@pytest.mark.parametrize("limits", [
    {"tolerance": float("nan")}, {"tolerance": -1e-9}, {"tolerance": 2.0}, {"multiple": 0}, {"multiple": 1025},
])  # fmt: skip
def test_limits_out_of_range_are_refused(limits):
    with pytest.raises(UsageError, match=f"--{next(iter(limits))} is ") as caught:
        compact(pruned(), **limits)
    assert "from" in str(caught.value.hint)


def test_a_float16_network_is_refused_and_an_open_size_too():
    half = pruned(kind=np.float16)
    half.graph.input[0].type.tensor_type.elem_type = half.graph.output[0].type.tensor_type.elem_type = 10
    with pytest.raises(ModelError, match="float16"):
        compact(half)
    assert to_float32(half) == "float16"
    with pytest.raises(ModelError, match="is open"):
        compact(pruned(shape=[1, 3, "H", "W"]))
    made, _ = compacted(pruned(shape=[1, 3, "H", "W"]), imgsz=(12, 10))
    assert [dim.dim_value for dim in made.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 10, 12]


def test_an_int8_network_is_refused():
    rounding = [
        node("QuantizeLinear", "x s", "q"), node("DequantizeLinear", "q s", "d"), node("DequantizeLinear", "w s", "e"),
        node("Conv", "d e", "y"),
    ]  # fmt: skip
    with pytest.raises(ModelError, match="INT8 already"):
        compact(model(rounding, s=np.float32(0.1), w=np.ones((4, 3, 1, 1), np.int8)))


def test_pictures_are_compared_too():
    feed = {"x": np.full(SHAPE, 1e4, np.float32)}
    assert compact(pruned(), [feed])[1].inputs == "4 random inputs and 1 picture"
    assert compact(pruned(shape=["N", 3, 10, 12]))[1].inputs == "5 random inputs", "the fifth has two images"


def test_without_onnx_runtime_nothing_is_compacted(monkeypatch):
    monkeypatch.setattr(run.libraries, "missing", lambda name, hint: f"{name} is not installed: {hint}")
    with pytest.raises(BackendUnavailable, match="onnxruntime is not installed"):
        compact(pruned())


def test_the_command_writes_the_file_and_says_what_it_did(tmp_path, capsys):
    before, after = tmp_path / "pruned.onnx", tmp_path / "small.onnx"
    onnx.save(pruned(), before)
    assert command.main([str(before), "-o", str(after), "--multiple", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["after"]["macs"] < found["before"]["macs"] and "onnxruntime" in found["opened_by"]
    assert shapes(onnx.load(after))["y"] == (4, 5, 1, 1)


@pytest.mark.parametrize(("flags", "error"), [
    (["--tolerance", "0", "--multiple", "1"], "differs by"), (["--imgsz", "0"], "--imgsz is 0"),
    (["--images", "nowhere.jpg"], "nowhere"), (["--multiple", "0"], "--multiple is 0"),
    (["--tolerance", "nan"], "--tolerance is nan"),
])  # fmt: skip
def test_after_an_error_nothing_is_written(tmp_path, capsys, flags, error):
    before, after = tmp_path / "pruned.onnx", tmp_path / "small.onnx"
    onnx.save(pruned(), before)
    assert command.main([str(before), "-o", str(after), *flags]) == 1
    said = capsys.readouterr().err
    assert error in said and "hint: " in said and not after.exists()
    assert command.main([str(before), "-o", str(before)]) == 1, "it would write over what it reads"


def test_openvino_must_run_what_it_ran_before():
    pytest.importorskip("openvino")
    file = pruned()
    made, _ = compact(file, multiple=1)
    assert others.opened_by(file, made) == ["onnxruntime", "openvino"]
    broken = onnx.ModelProto()
    broken.CopyFrom(made)
    broken.graph.node[-1].op_type = "NoSuchOperator"
    with pytest.raises(ModelError, match="OpenVINO does not run"):
        others.opened_by(file, broken)
    broken.CopyFrom(made)
    broken.graph.node[1].op_type = "Sigmoid"
    with pytest.raises(ModelError, match="differs by"):
        others.opened_by(file, broken)
