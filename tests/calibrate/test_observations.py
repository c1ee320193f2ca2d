"""Calibration: prepared like inference, constant notes, the same table after any interruption."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import onnx
import pytest

from edge_runtime import zoo
from edge_runtime.backends import BackendOptions
from edge_runtime.calibrate import observations, runs
from edge_runtime.calibrate.ranges.histogram import Histogram
from edge_runtime.calibrate.ranges.methods import METHODS
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError
from edge_runtime.graph.network import Network
from edge_runtime.graph.quantize import ONNXRUNTIME
from edge_runtime.model.labels import VOC
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx

NAMES = ("images", "conv1", "pep3.add", "head13")


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    architecture = zoo.build("yolo_nano", VOC, 64)
    return to_onnx(architecture, weights.random(architecture, 2))


@pytest.fixture(scope="module")
def spec():
    return zoo.build("yolo_nano", VOC, 64).spec


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(7)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), generator.integers(0, 255, (40 + 5 * number, 90, 3), np.uint8))
    return [str(path) for path in paths]


def same(one: observations.Observations, other: observations.Observations) -> None:
    assert one.images == other.images
    for name in NAMES:
        a, b = one.histograms[name], other.histograms[name]
        np.testing.assert_array_equal(a.counts, b.counts)
        assert (a.width, a.low, a.high) == (b.width, b.low, b.high)


def test_inputs_are_those_of_inference(model, spec, images, tmp_path):
    """Byte for byte: the histogram of the network's input is that of a backend's slot."""
    seen_by_calibration = observations.collect(model, ["images"], spec, images[:1])
    onnx.save(model, tmp_path / "m.onnx")
    with Detector.open(str(tmp_path / "m.onnx"), options=BackendOptions(backend="onnxruntime", threads=1)) as detector:
        detector(cv2.imread(images[0]))
        slot = detector.backend._slots[0].tensor
    seen = Histogram()
    seen.add(slot)
    np.testing.assert_array_equal(seen.counts, seen_by_calibration.histograms["images"].counts)
    (prepared,) = runs.prepared(images[:1], spec, ThreadPoolExecutor(1))
    assert prepared[1].tobytes() == slot.tobytes()


def test_every_activation_of_the_form(model, spec, images):
    names = ONNXRUNTIME.marked(Network(onnx.ModelProto.FromString(model.SerializeToString())))
    seen = observations.collect(model, names, spec, images)
    assert seen.images == 7 and set(seen.histograms) == set(names)
    total = {name: histogram.total for name, histogram in seen.histograms.items()}
    assert total["images"] == 7 * 3 * 64 * 64
    assert seen.ranges("minmax")["images"] == (0.0, seen.histograms["images"].high)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_an_activation_that_is_always_zero_gets_a_range_and_is_named(model, spec, images, method):
    seen = observations.collect(model, ["images"], spec, images[:2])
    values = {"dead": np.zeros(3), "none": np.zeros(0), "faint": np.full(3, 1e-30), "constant": np.full(3, 2.5),
              "mask": np.array([0, -1e30])}  # fmt: skip
    for name, array in values.items():
        seen.histograms[name] = Histogram()
        seen.histograms[name].add(array.astype(np.float32))
    ranges = seen.ranges(method)
    assert seen.zero == {"dead", "none", "faint"} and seen.huge == {"mask"}
    assert all(low <= 0 <= high and low < high for low, high in ranges.values())
    assert ranges["constant"] == pytest.approx((0, 2.5), abs=0.05)


@pytest.mark.parametrize("killed_at", [1, 4, 6])
def test_a_killed_run_goes_on_to_the_same_table(model, spec, images, tmp_path, monkeypatch, killed_at):
    monkeypatch.setattr(observations, "SAVE_EVERY", 2)
    whole = observations.collect(model, NAMES, spec, images)
    state, ticks = tmp_path / "partial.npz", []

    def kill():
        ticks.append(None)
        if len(ticks) == killed_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        observations.collect(model, NAMES, spec, images, state, "key", kill)
    done, looked = [], observations._note
    monkeypatch.setattr(observations, "_note", lambda *arguments: (done.append(arguments[3]), looked(*arguments)))
    same(observations.collect(model, NAMES, spec, images, state, "key", lambda: None), whole)
    assert done == images[(killed_at - 1) // 2 * 2 :], "only what was not saved is looked at again"
    again = []
    monkeypatch.setattr(observations, "_note", lambda *arguments: again.append(arguments))
    same(observations.collect(model, NAMES, spec, images, state, "key"), whole)
    assert not again, "complete notes are only read"


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut"])
def test_damaged_notes_are_begun_anew(model, spec, images, tmp_path, content):
    state = tmp_path / "partial.npz"
    state.write_bytes(content)
    same(
        observations.collect(model, NAMES, spec, images, state, "key"), observations.collect(model, NAMES, spec, images)
    )


def test_notes_of_another_origin_are_not_continued(model, spec, images, tmp_path):
    state = tmp_path / "partial.npz"
    observations.collect(model, NAMES, spec, images[:3]).save(state, "other key")
    same(
        observations.collect(model, NAMES, spec, images, state, "key"), observations.collect(model, NAMES, spec, images)
    )


def test_what_overflows_is_named_with_its_image(spec, images):
    architecture = zoo.build("yolo_nano", VOC, 64)
    values = weights.random(architecture, 2)
    values["conv3.weight"] = values["conv3.weight"] * np.float32(1e38)
    with pytest.raises(ModelError, match=r"conv3.linear on .*0\.png: .* not finite"):
        observations.collect(to_onnx(architecture, values), ["conv3.linear"], spec, images)
