"""Calibration: prepared like inference, constant notes, the same table after any interruption."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest

from edge_runtime import calibrate, zoo
from edge_runtime.backends import BackendOptions
from edge_runtime.detector import Detector
from edge_runtime.errors import ModelError
from edge_runtime.graph.network import Network
from edge_runtime.graph.quantize import ONNXRUNTIME
from edge_runtime.labels import VOC
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


def same(one: calibrate.Notes, other: calibrate.Notes) -> None:
    assert one.images == other.images
    for name in NAMES:
        a, b = one.histograms[name], other.histograms[name]
        np.testing.assert_array_equal(a.counts, b.counts)
        assert (a.width, a.low, a.high) == (b.width, b.low, b.high)
        np.testing.assert_array_equal(one.sums[name], other.sums[name])


def test_inputs_are_those_of_inference(model, spec, images, tmp_path):
    """Byte for byte: the histogram of the network's input is that of a backend's slot."""
    notes = calibrate.collect(model, ["images"], spec, images[:1])
    onnx.save(model, tmp_path / "m.onnx")
    with Detector.open(str(tmp_path / "m.onnx"), options=BackendOptions(backend="onnxruntime", threads=1)) as detector:
        detector(cv2.imread(images[0]))
        slot = detector.backend._slots[0].tensor
    seen = calibrate.Histogram()
    seen.add(slot)
    np.testing.assert_array_equal(seen.counts, notes.histograms["images"].counts)
    (prepared,) = calibrate._prepared(images[:1], spec, calibrate.ThreadPoolExecutor(1))
    assert prepared[1].tobytes() == slot.tobytes()


def test_means_and_every_activation_of_the_form(model, spec, images):
    names = ONNXRUNTIME.marked(Network(onnx.ModelProto.FromString(model.SerializeToString())))
    notes = calibrate.collect(model, names, spec, images)
    assert notes.images == 7 and set(notes.histograms) == set(names)
    total = {name: histogram.total for name, histogram in notes.histograms.items()}
    assert total["images"] == 7 * 3 * 64 * 64 and total["head13"] == 7 * 75 * 2 * 2
    assert notes.means()["images"].shape == (3,) and 0.2 < notes.means()["images"].mean() < 0.6
    table = notes.table(calibrate.origin(b"model", images, spec, "minmax"))
    assert table.ranges["images"] == (0.0, notes.histograms["images"].high) and table.about["images"] == 7


@pytest.mark.parametrize("killed_at", [1, 4, 6])
def test_a_killed_run_goes_on_to_the_same_table(model, spec, images, tmp_path, monkeypatch, killed_at):
    monkeypatch.setattr(calibrate, "SAVE_EVERY", 2)
    whole = calibrate.collect(model, NAMES, spec, images)
    state, ticks = tmp_path / "partial.npz", []

    def kill():
        ticks.append(None)
        if len(ticks) == killed_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate.collect(model, NAMES, spec, images, state, "key", kill)
    done, looked = [], calibrate._note
    monkeypatch.setattr(calibrate, "_note", lambda *arguments: (done.append(arguments[3]), looked(*arguments)))
    same(calibrate.collect(model, NAMES, spec, images, state, "key", lambda: None), whole)
    assert done == images[(killed_at - 1) // 2 * 2 :], "only what was not saved is looked at again"
    assert not state.exists()


def test_notes_of_another_origin_are_not_continued(model, spec, images, tmp_path):
    state = tmp_path / "partial.npz"
    calibrate.collect(model, NAMES, spec, images[:3]).save(state, "other key")
    same(calibrate.collect(model, NAMES, spec, images, state, "key"), calibrate.collect(model, NAMES, spec, images))


def test_origins_differ_where_something_differs(spec, images):
    first = calibrate.origin(b"a", images, spec, "mse")
    assert first == calibrate.origin(b"a", images, spec, "mse")
    turned = replace(spec, color="bgr")
    changed = [(b"b", images, spec, "mse"), (b"a", images[::-1], spec, "mse"), (b"a", images, turned, "mse"),
               (b"a", images, spec, "minmax")]  # fmt: skip
    others = {calibrate.origin(*arguments) for arguments in changed}
    assert first not in others and len(others) == 4
    assert first == calibrate.origin(b"a", images, replace(spec, labels=("x",)), "mse"), (
        "names of classes do not matter"
    )


def test_what_overflows_is_named_with_its_image(spec, images):
    architecture = zoo.build("yolo_nano", VOC, 64)
    values = weights.random(architecture, 2)
    values["conv3.weight"] = values["conv3.weight"] * np.float32(1e38)
    with pytest.raises(ModelError, match=r"conv3.linear on .*0\.png: .* not finite"):
        calibrate.collect(to_onnx(architecture, values), ["conv3.linear"], spec, images)
