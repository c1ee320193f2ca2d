"""Plans built for real, by TensorRT-RTX on the CPU: every precision, what is refused, and a builder that dies."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime import build
from edge_runtime.build import BuildOptions, forms
from edge_runtime.build.job import Job
from edge_runtime.detect.understand import understand
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.gpu import passport, trt
from edge_runtime.model.onnx_file import read_io
from edge_runtime.model.recipe import ModelFlags

ENGINES = Path(__file__).resolve().parents[2] / "engines"
rtx = pytest.mark.skipif(
    trt.missing() is not None or not trt.is_rtx(trt.library()),
    reason="needs the TensorRT-RTX wheels: pip install .[rtx]",
)


def source(path: Path, flags: ModelFlags = ModelFlags()) -> forms.BuildInput:
    io = read_io(str(path), None)
    return build.load_input(str(path), understand(str(path), io, flags).spec)


@pytest.fixture(scope="module")
def nano() -> forms.BuildInput:
    return source(ENGINES / "yolo_nano_voc_int8.onnx")


def options(precision: str, **more) -> BuildOptions:
    return BuildOptions(precision, compute_capability="SM86", **more)


@rtx
@pytest.mark.parametrize(
    ("precision", "kind"), [("fp32", "float32"), ("fp16", "float16"), ("int8", "int8"), ("int8+fp16", "int8")]
)
def test_every_precision_of_yolo_nano(nano, tmp_path, precision, kind):
    told, plan = [], tmp_path / "nano.plan"
    made = build.build(nano, plan, options(precision), "edge-build again", lambda f, phase: told.append(f))
    assert plan.stat().st_size > 1e6 and passport.read_passport(plan) == made
    rest = {} if kind != "int8" else {"float16" if "fp16" in precision else "float32": 35}  # 29 depthwise, 6 by table
    assert made.convolutions.pop(kind) >= 87 and made.convolutions == rest
    assert made.io.input_shape == (1, 3, 320, 320) and set(made.io.dtypes.values()) == {"float32"}
    assert list(made.io.outputs.values()) == [(1, 75, 40, 40), (1, 75, 20, 20), (1, 75, 10, 10)]
    assert made.spec == nano.spec and made.command == "edge-build again" and bool(made.ranges) == ("int8" in precision)
    assert made.place.tensorrt == trt.version() and made.place.compute_capability == "8.6"
    assert told == sorted(told) and told[-1] > 0.1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nano.plan", "nano.plan.json"]


@rtx
def test_a_batch(nano, tmp_path):
    made = build.build(source(ENGINES / "yolo_nano_voc.onnx"), tmp_path / "n.plan", options("fp16", batch=3))
    assert made.io.input_shape[0] == 3 and {shape[0] for shape in made.io.outputs.values()} == {3}
    assert made.least_batch == 1 and passport.read_passport(tmp_path / "n.plan") == made
    made = build.build(nano, tmp_path / "i.plan", options("int8+fp16", batch=2))
    assert made.io.input_shape[0] == 2 and made.least_batch == 1 and made.convolutions["int8"] >= 87


def chain(*nodes: onnx.NodeProto, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """A network from "images" to "y"; "w" is a weight in float32."""
    given = helper.make_tensor_value_info("images", kind, [1, 3, 8, 8])
    made = helper.make_tensor_value_info("y", kind, None)
    weight = numpy_helper.from_array(np.ones((3, 3, 3, 3), np.float32), "w")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    return helper.make_model(helper.make_graph(nodes, "g", [given], [made], [weight]), opset_imports=opsets)


def refused(model: onnx.ModelProto, nano: forms.BuildInput, tmp_path: Path) -> str:
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError) as caught:
        build.build(forms.BuildInput(str(tmp_path / "m.onnx"), model, nano.spec), tmp_path / "p.plan", options("fp32"))
    assert "export" in str(caught.value.hint) and not list(tmp_path.glob("p.plan*"))
    return str(caught.value)


@rtx
def test_every_operator_that_tensorrt_does_not_support_is_named_and_no_other(nano, tmp_path):
    odd = helper.make_node("MyOperator", ["c"], ["d"], name="odd", domain="mine")
    nodes = [
        helper.make_node("Conv", ["images", "w"], ["c"], name="fine"), odd,
        helper.make_node("Relu", ["d"], ["e"], name="also_fine"), helper.make_node("Det", ["e"], ["y"], name="odder"),
    ]  # fmt: skip
    said = refused(chain(*nodes), nano, tmp_path)
    assert "does not support MyOperator odd, Det odder (2 in all); the first: " in said and "fine" not in said


@rtx
def test_a_convolution_of_two_types_is_named(nano, tmp_path):
    node = helper.make_node("Conv", ["images", "w"], ["y"], name="the_conv")
    said = refused(chain(node, kind=TensorProto.INT32), nano, tmp_path)
    assert "Conv the_conv" in said and "type" in said


def test_int8_without_ranges_is_refused():
    with pytest.raises(UsageError, match="no activation ranges") as caught:
        forms.form(source(ENGINES / "yolo_nano_voc.onnx"), "int8", True)
    assert "--calib" in str(caught.value.hint)


def test_scales_are_float32_in_every_int8_form(nano):
    """JetPack 7.2 on Orin rejects float16 ones, 8.x cannot read them."""
    for precision, strong in (("int8", True), ("int8+fp16", True), ("int8+fp16", False)):
        form = forms.form(nano, precision, strong)
        kinds = {tensor.name: tensor.data_type for tensor in form.graph.initializer}
        scales = {kinds[node.input[1]] for node in form.graph.node if "Quantize" in node.op_type}
        assert scales == {TensorProto.FLOAT}


def test_forms_are_typed_as_the_builder_wants(nano):
    def kinds(model):
        return {tensor.data_type for tensor in model.graph.initializer if len(tensor.dims) == 4}

    float32, float16 = {TensorProto.FLOAT}, {TensorProto.FLOAT16}
    assert kinds(forms.form(nano, "fp16", True)) == float16 and kinds(forms.form(nano, "fp16", False)) == float32
    assert kinds(forms.form(nano, "int8", True)) == float32
    weak, strong = (forms.form(nano, "int8+fp16", typed) for typed in (False, True))
    assert "Cast" not in {node.op_type for node in weak.graph.node}
    assert "Cast" in {node.op_type for node in strong.graph.node}
    for form in (weak, strong):
        assert {len(node.input) for node in form.graph.node if "Quantize" in node.op_type} == {3}, (
            "8.5 wants zero points"
        )


@rtx
def test_a_killed_builder_is_one_sentence(nano, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "WORKER", ("-c", f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"))
    with pytest.raises(ModelError, match="killed: most likely memory ran out") as caught:
        build.build(nano, tmp_path / "n.plan", options("fp16"))
    assert "swapon" in str(caught.value.hint) and list(tmp_path.iterdir()) == []


@rtx
@pytest.mark.parametrize(
    ("code", "said"), [("import os; os.abort()", "by signal SIGABRT"), ("raise SystemExit(3)", "with exit code 3")]
)
def test_a_crashed_builder_is_one_sentence(nano, tmp_path, monkeypatch, code, said):
    monkeypatch.setattr(build, "WORKER", ("-c", f"print('[]'); print('hello'); {code}"))
    for precision, way_out in (("int8+fp16", "--precision fp16"), ("fp16", "--precision fp32")):
        with pytest.raises(ModelError, match=said) as caught:
            build.build(nano, tmp_path / "n.plan", options(precision))
        assert way_out in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["86", "SMxy", "SM8"])
def test_names_of_gpus(name):
    with pytest.raises(UsageError, match="compute capability"):
        build._dotted(name)


@pytest.mark.parametrize(("name", "dotted"), [("SM86", "8.6"), ("SM120", "12.0"), ("", "")])
def test_names_of_gpus_as_cuda_writes_them(name, dotted):
    assert build._dotted(name) == dotted


def test_a_builder_that_does_not_start_for_want_of_memory_says_so(tmp_path, monkeypatch):
    """ENOMEM of a new process is not a folder that cannot be written."""

    def no_memory(*args, **kwargs):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", no_memory)
    job = Job("a.onnx", "a.plan", "fp16", 0, None, "", "")
    with pytest.raises(ModelError, match="process of the builder does not start: Cannot allocate memory") as caught:
        build._child(job, tmp_path / "job.json", lambda fraction, phase: None)
    assert "swap" in caught.value.hint


def test_a_plan_is_never_there_without_its_passport(tmp_path, monkeypatch):
    """A build killed between the two leaves no plan of which nothing is known."""
    new, plan = tmp_path / "made.plan", tmp_path / "p.plan"
    new.write_bytes(b"plan")
    passport.passport_path(new).write_text("passport", encoding="utf-8")
    replace, there = os.replace, []

    def watched(source: Path, target: str) -> None:
        replace(source, target)
        there.append((plan.exists(), passport.passport_path(plan).exists()))

    monkeypatch.setattr(os, "replace", watched)
    build.place(new, plan)
    assert there == [(False, True), (True, True)] and plan.read_bytes() == b"plan"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full")], ids=["killed", "full"])
@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_plan_never_has_the_passport_of_another(tmp_path, monkeypatch, step, error):
    new, plan = tmp_path / "made" / "n.plan", tmp_path / "p.plan"
    new.parent.mkdir()
    for path, text in ((new, "new"), (plan, "earlier")):
        path.write_text(text, encoding="utf-8")
        passport.passport_path(path).write_text(text, encoding="utf-8")
    replace, steps = os.replace, []

    def failing(source: Path, target: str) -> None:
        steps.append(target)
        if len(steps) == step + 1:
            raise error
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises((KeyboardInterrupt, UsageError)):
        build.place(new, plan)
    assert not plan.exists() or passport.passport_path(plan).read_bytes() == plan.read_bytes()
    if isinstance(error, OSError):
        assert plan.exists() == (step < 2), "the earlier one is there again"
