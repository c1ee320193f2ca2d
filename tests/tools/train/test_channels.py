"""Channels that stand and fall together: what is removed is all that belongs together, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import toy_detector
from channels import Units, architecture_of, choose, conv_macs, resized, widths_in, without

from edge_runtime import zoo
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.zoo import weights as zoo_weights
from edge_runtime.zoo.export import to_onnx
from edge_runtime.zoo.layers import IMAGE, Layer

BUILDERS = {"toy": toy_detector.build, "yolo_nano": zoo.build, "tiny_yolo_v3": zoo.build}


@pytest.fixture(scope="module", params=list(BUILDERS))
def units(request) -> Units:
    return Units(BUILDERS[request.param](request.param, ("a", "b"), 64))


def outputs(model, image):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {IMAGE: image})


def some(units: Units, seed: int) -> np.ndarray:
    """Three quarters of the units that may go, and all others."""
    return ~units.free | (np.random.default_rng(seed).random(units.count) < 0.75)


def kill(units: Units, kept: np.ndarray, values: zoo_weights.Weights) -> None:
    """Makes the filters of the others give zero, in place."""
    for layer in units.architecture.layers:
        if layer.op == "conv":
            dead = ~kept[units.of[layer.name]]
            for ending in ("weight", "bias", "bn.bias", "bn.mean"):
                if f"{layer.name}.{ending}" in values:
                    values[f"{layer.name}.{ending}"][dead] = 0


def test_dead_units_are_removed_exactly(units):
    values, kept = toy_detector.weights(units.architecture, 1), some(units, 2)
    assert not kept.all()
    kill(units, kept, values)
    after, left = without(units, kept, values)
    image = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    whole, narrow = outputs(to_onnx(units.architecture, values), image), outputs(to_onnx(after, left), image)
    assert conv_macs(after) < conv_macs(units.architecture)
    for one, other in zip(whole, narrow):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-4 * np.abs(one).max())


def test_what_is_tied_is_one_unit():
    of = Units(toy_detector.build()).of
    same = of["eighth.project"]
    for name in ("same.project", "same.add", "gate.pool", "gate.excite", "gate.mul"):
        np.testing.assert_array_equal(of[name], same)
    np.testing.assert_array_equal(of["same.expand"], of["same.depthwise"])
    np.testing.assert_array_equal(of["joined.concat"], np.concatenate([of["sixteenth"], same]))
    alone = [of[name] for name in ("stem", "quarter.expand", "quarter.project", "same.expand", "gate.squeeze", "last")]
    assert len(np.unique(np.concatenate([*alone, same]))) == sum(map(len, alone)) + len(same)


def test_pictures_heads_slices_and_groups_stay():
    toy = toy_detector.build()
    grouped = [replace(layer, groups=2) if layer.name == "sixteenth" else layer for layer in toy.layers]
    grouped.append(Layer("part", "slice", ("last",), 8, start=4))
    units = Units(replace(toy, layers=tuple(grouped)))
    for name in (IMAGE, "head0", "head1", "head2", "gate.mul", "sixteenth", "last"):
        assert not units.free[units.of[name]].any(), name
    assert units.free[units.of["fine"]].all()


def test_saved_multiply_adds_are_those_of_a_unit_alone(units):
    saved = units.macs()
    whole = conv_macs(units.architecture)
    for family in list(units.families.values())[:12]:
        kept = np.ones(units.count, bool)
        kept[family[0]] = False
        convs = {layer.name: int(kept[units.of[layer.name]].sum()) for layer in units.architecture.layers}
        if units.free[family[0]]:
            assert whole - conv_macs(resized(units.architecture, convs)) == saved[family[0]]


@pytest.mark.parametrize("multiple", [1, 8])
def test_the_least_worth_go_until_the_share_is_reached(multiple):
    units = Units(zoo.build("yolo_nano"))
    scores = np.random.default_rng(3).random(units.count)
    kept = choose(units, scores, 0.7, multiple)
    after, _ = without(units, kept, zoo_weights.random(units.architecture))
    assert 0.65 < conv_macs(after) / conv_macs(units.architecture) <= 0.7
    assert kept[~units.free].all()
    before = {layer.name: layer.channels for layer in units.architecture.layers}
    for layer in after.layers:
        if layer.op == "conv":
            assert layer.channels == before[layer.name] or layer.channels % multiple == 0, layer.name
    for family in units.families.values():
        gone = scores[family][~kept[family]]
        assert not len(gone) or gone.max() <= scores[family][kept[family]].min()


def test_what_has_no_score_stays_and_too_little_is_refused():
    units = Units(toy_detector.build())
    scores = np.full(units.count, np.nan)
    with pytest.raises(UsageError, match=r"0\.50 of the multiply-adds cannot be reached, 1\.00 can"):
        choose(units, scores, 0.5)
    scores[units.of["stem"]] = 1.0
    assert set(np.flatnonzero(~choose(units, scores, 0.95, 1))) <= set(units.of["stem"].tolist())


def test_a_narrow_file_says_how_wide_it_is(units):
    values, kept = toy_detector.weights(units.architecture), some(units, 5)
    after, left = without(units, kept, values)
    model = to_onnx(after, left)
    assert resized(units.architecture, widths_in(model)) == after
    for name, value in zoo_weights.from_onnx(model, after).items():
        assert name.endswith(("mean", "var")) or value.shape == left[name].shape
    if units.architecture.name != "toy":
        name = next(name for name in BUILDERS if units.architecture.name.startswith(name))
        assert architecture_of(model, name) == after
    del model.metadata_props[:]
    with pytest.raises(ModelError, match="no metadata"):
        architecture_of(model, "yolo_nano")
