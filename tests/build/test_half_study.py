"""What float16 would spoil is found on pictures, and only that. No fault here changes the float32 network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Callable

import numpy as np
import onnx
import pytest
from onnx import helper

from edge_runtime import build, calibrate
from edge_runtime.build import forms, half_study, half_verdict
from edge_runtime.build.forms import BuildInput
from edge_runtime.cli._build_half import pictures
from edge_runtime.detect.evidence import described
from edge_runtime.errors import ModelError
from edge_runtime.graph.network import Network
from edge_runtime.model.recipe import ModelFlags

NANO = Path(__file__).resolve().parents[2] / "engines" / "yolo_nano_voc.onnx"
FIRST, SECOND = "ep5.project", "pep17.squeeze.linear"  # a convolution that only the next one reads


def quiet(label: str, total: int) -> Callable[[], None]:
    return lambda: None


def source(path: Path = NANO) -> BuildInput:
    return build.load_input(str(path), described(str(path), ModelFlags()).spec)


def scaled(factor: float, channels: int = 0) -> BuildInput:
    """YOLO Nano in which one convolution makes values `factor` times as large, and the next takes it back.

    Args:
        channels: number of channels of which this is true, 0 for all.
    """
    nano = source()
    network = Network(nano.model)
    nodes = {node.name: node for node in network.nodes}
    first, second = nodes[FIRST], nodes[SECOND]
    factors = np.ones(network.constants[first.input[1]].shape[0])
    factors[: channels or None] = factor
    for name, value in ((first.input[1], factors[:, None, None, None]), (first.input[2], factors),
                        (second.input[1], 1 / factors[None, :, None, None])):  # fmt: skip
        network.set_constant(name, (network.constants[name] * value).astype(np.float32))
    return replace(nano, model=network.model)


def judged(source: BuildInput):
    return half_verdict.judge(source, pictures(""), quiet)[1]


def names(found: half_study.Study):
    return {layer.output for layer in found.kept}


@pytest.fixture(scope="module")
def plain() -> half_verdict.HalfVerdict:
    return judged(source())


def test_nothing_is_kept_where_nothing_needs_it(plain):
    study = plain.study
    assert study.kept == () and study.peaks == () and study.pictures == 2 and study.halves == 235
    _, node, size = study.largest
    assert node.startswith(("Conv ", "Add ")) and 10 < size < 100
    assert plain.boxes >= 2 and plain.agreement > 0.97 and plain.most_px < 1 and plain.score_drift < 0.01
    assert (
        plain.notes()[-1].startswith(f"{study.vanished} of {study.weights} weights are too small") or not study.vanished
    )


def test_a_layer_that_overflows_is_named_and_kept(plain):
    """A scale of 1e5, as in the exports whose batch normalisation was folded badly."""
    found = judged(scaled(1e5))
    (tensor, node, size), (largest, *_) = found.study.peaks[0], found.study.largest
    assert (tensor, node) == (FIRST, f"Conv {FIRST}") and size > 65504 and largest != tensor
    assert names(found.study) == {FIRST, SECOND}, "what writes it, and what reads it"
    assert found.boxes == plain.boxes and found.agreement > 0.97 and found.most_px < 1
    said = " ".join(found.notes())
    assert f"{FIRST} of Conv {FIRST} reaches {size:.4g}; it stays in float32" in said and "2 layers stay" in said


def test_it_would_be_wrong_without(plain):
    """The check of the check: the same network, all of it in float16."""
    lost, data = scaled(1e4), pictures("")
    assert judged(lost).agreement > 0.97
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(half_study._Search, "_keep_peaks", lambda self, peaks: None)
        patch.setattr(half_study._Search, "_keep_spoilt", lambda self: None)
        found = half_verdict.judge(lost, data, quiet)[1]
    assert found.study.kept == () and found.study.peaks[0][0] == FIRST
    assert found.problem or found.agreement < 0.5
    assert "Use float16" not in found.sentence() and ("--precision fp32" in found.notes()[-1]) is bool(found.problem)


def test_weights_beyond_float16(plain):
    """The values stay small: only the weights are too large, because the layer before is as small."""
    found = judged(scaled(1e-7))
    reasons = {layer.output: layer.reason for layer in found.study.kept}
    assert set(reasons) == {FIRST, SECOND} and reasons[SECOND].startswith("its weights reach ")
    assert found.agreement > 0.97 and found.boxes == plain.boxes and found.most_px < 1


@pytest.mark.parametrize(("factor", "channels"), [(1e-6, 0), (1e-7, 40)])
def test_what_float16_makes_zero_is_kept_where_it_matters(plain, factor, channels):
    """Small weights and small values, of all channels or of some."""
    found = judged(scaled(factor, channels))
    assert names(found.study) == {FIRST, SECOND}
    assert found.agreement > 0.97 and found.most_px < 1 and found.score_drift < 0.01


def test_the_form_that_is_built_keeps_it():
    made, _ = half_verdict.judge(scaled(1e5), pictures(""), quiet)
    kinds = {tensor.name: tensor.data_type for tensor in forms.form(made, "fp16", True).graph.initializer}
    large = [name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT]
    parts = [f"{name}.{part}" for name in (FIRST, SECOND[:-7]) for part in ("weight", "bias")]
    assert sorted(large) == sorted([*parts, "upsample.scales"])
    weak = forms.form(made, "fp16", False)
    assert sorted(forms.name_float32_layers(weak, made.keep)) == sorted([FIRST, SECOND])
    assert made.half["float32_layers"].keys() == {f"Conv {FIRST}", f"Conv {SECOND}"} and made.half["boxes"] >= 2


def test_values_that_are_not_finite_are_an_overflow():
    """Float32 itself overflows: infinity is larger than 65504."""
    nano = source()
    nodes = list(nano.model.graph.node)
    place = next(k for k, node in enumerate(nodes) if node.name == FIRST)
    nodes[place].output[0] = "before"
    steps = [("before", "e1"), ("e1", "e2"), ("e2", FIRST)]
    nodes[place + 1 : place + 1] = [helper.make_node("Exp", [source], [target]) for source, target in steps]
    del nano.model.graph.node[:]
    nano.model.graph.node.extend(nodes)
    found = half_study.study(forms.float_form(nano), nano.spec, pictures("").paths, quiet)
    assert found.peaks[0][2] == np.inf and FIRST in names(found)


def test_what_onnx_runtime_does_not_run_is_an_error_in_words():
    nano = source()
    nano.model.opset_import.append(helper.make_opsetid("mine", 1))
    nano.model.graph.node[0].op_type, nano.model.graph.node[0].domain = "Odd", "mine"
    with pytest.raises(ModelError, match=r"ONNX Runtime does not run the network: .*Odd"):
        half_study.study(forms.float_form(nano), nano.spec, pictures("").paths, quiet)


def test_int8_with_float16_keeps_it_too(tmp_path):
    """The ranges of 8 bits reach farther than float16: 8 bits alone do not protect what is between them."""
    float32 = scaled(1e4)
    onnx.save(float32.model, tmp_path / "m.onnx")
    made = calibrate.calibrate(str(tmp_path / "m.onnx"), float32.spec, pictures("").paths, method="minmax")
    int8 = build.load_input(str(tmp_path / "m.onnx"), float32.spec, made.model)
    judged_int8, found = half_verdict.judge(int8, pictures(""), quiet)
    assert FIRST in names(found.study)
    for model, kinds in ((int8, {"float16"}), (judged_int8, {"float32"})):
        form = Network(forms.form(model, "int8+fp16", True))
        conv = next(node for node in form.nodes if node.name == FIRST)
        assert {str(form.constants[name].dtype) for name in conv.input[2:]} == kinds
