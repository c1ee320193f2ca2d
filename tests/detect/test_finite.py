"""Outputs that are no numbers are seen, counted and told; numbers cost a look now and then."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from edge_runtime import Pipeline
from edge_runtime.detect.detector import Detector
from edge_runtime.detect.finite import EMPTY, EVERY, OutputWatch, not_finite
from edge_runtime.errors import ModelError
from edge_runtime.model.recipe import ModelFlags
from tests.tiny import boxes_v8, write_onnx

FLAGS = ModelFlags(family="yolo_v8", labels=("a", "b", "c"))
BOX = (32, 32, 20, 20, 0.9, 1)


class Outputs:
    """Outputs of a slot, one array per frame; counts how often they are read."""

    def __init__(self, *arrays: np.ndarray) -> None:
        self.arrays, self.read = arrays, 0

    def outputs(self, slot: int):
        self.read += 1
        return [self.arrays[slot]]


@pytest.mark.parametrize(
    ("values", "bad"),
    [
        ([0, 1, -3e38, 1], False),
        ([3e38] * 8, False),
        ([0, np.nan, 1], True),
        ([np.inf] * 4, True),
        ([-np.inf, np.inf], True),
        ([0] * 999 + [np.inf], False),
        ([0] * 999 + [-np.inf], False),
    ],
    ids=["numbers", "a sum that overflows", "NaN", "infinite", "both", "one of many", "a mask"],
)
def test_what_is_not_finite(values, bad):
    assert not_finite(np.array(values, np.float32)) is bad


def test_every_frame_is_looked_at_while_they_are_bad_and_few_while_they_are_good(caplog):
    good, bad = np.zeros((1, 4), np.float32), np.full((1, 4), np.nan, np.float32)
    watch, backend = OutputWatch(), Outputs(good, bad)
    for _ in range(2 * EVERY):
        watch.seen(backend, 0, 1, 1)
    assert backend.read == 2 and watch.bad == 0
    for _ in range(EVERY):
        watch.seen(backend, 0, 1, 0)
    assert backend.read == 2 + EVERY // EMPTY, "frames in which nothing is found are looked at more often"
    with caplog.at_level(logging.WARNING, "edge_runtime"):
        for _ in range(EVERY):
            watch.seen(backend, 1, 1, 0)
    assert watch.bad == EVERY and len(caplog.records) == 1 and "not finite" in caplog.text
    watch.seen(backend, 0, 1, 1)
    assert watch.bad == EVERY
    with pytest.raises(ModelError, match=rf"m.onnx are not finite \(NaN or infinite\) on {EVERY} of \d+ pictures"):
        watch.refuse("m.onnx")


def test_each_image_of_a_batch_is_counted_and_places_without_an_image_are_not():
    batch = np.zeros((4, 3), np.float32)
    batch[1:] = np.nan
    watch = OutputWatch(1)
    watch.seen(Outputs(batch), 0, 3, 5)
    assert (watch.looked, watch.bad) == (3, 2)
    OutputWatch().refuse("m.onnx")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_detector_and_a_pipeline_tell(tmp_path, caplog, value):
    output = boxes_v8(BOX)
    output[:] = value
    pictures = [np.full((64, 64, 3), 90, np.uint8)] * 2
    with Detector.open(write_onnx(tmp_path / "m.onnx", {"output0": output}), flags=FLAGS) as detector:
        with caplog.at_level(logging.WARNING, "edge_runtime"):
            assert not len(detector(pictures[0]))
        assert detector.watch.bad == 1 and "float16 overflow" in caplog.text
        with Pipeline(detector, "synthetic://64x64", max_frames=3) as pipeline:
            summary = pipeline.run()
    assert summary["not_finite"] == {"frames": 3, "looked_at": 3} and pipeline.watch.bad == 3


def test_numbers_are_no_fault(tmp_path):
    path = write_onnx(tmp_path / "m.onnx", {"output0": boxes_v8(BOX)})
    with Detector.open(path, flags=FLAGS) as detector:
        summary = Pipeline(detector, "synthetic://64x64", max_frames=3).run()
    assert summary["not_finite"] == {"frames": 0, "looked_at": 1}
