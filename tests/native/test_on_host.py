"""The kernels' own code, run on the host: the same bits as the host's loops, which the numpy twins check."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.model import geometry
from edge_runtime.model.decode import ACTIVATIONS, BOX_KINDS
from edge_runtime.model.spec import ModelSpec
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops
from tests.native import kernels
from tests.native.test_letterbox import CASES
from tests.native.test_nms import corners, random_corners
from tests.native.test_pixels import FORMATS, LUMA, picture
from tests.scenes import COUNTS, LAYOUTS, LETTERBOX_FRAME, as_mask, assert_same, numbered, run, scene, twin
from tests.twins.letterbox import letterbox
from tests.twins.yuv import to_bgr

SANITIZED = "EDGE_KERNEL_FLAGS" in os.environ
FEWER = settings(max_examples=10 if SANITIZED else 40)


def pictures(*sizes, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, (height, width, 3), np.uint8) for width, height in sizes]


def on_the_host(image, spec):
    out = np.zeros((3, *reversed(spec.input_wh)), np.float32)
    ops.preprocess(image, spec, geometry.fit((image.shape[1], image.shape[0]), spec.input_wh, spec.resize), out)
    return out


@pytest.mark.parametrize(("image_wh", "model_wh", "resize", "more"), CASES)
def test_letterbox_has_the_hosts_bits(image_wh, model_wh, resize, more):
    (image,), spec = pictures(image_wh), ModelSpec("yolo_v8", model_wh, resize=resize, **more)
    np.testing.assert_array_equal(kernels.letterbox([image], spec)[0], on_the_host(image, spec))


@FEWER
@given(
    sizes=st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=1, max_size=3),
    model_wh=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    resize=st.sampled_from(geometry.RESIZE_MODES),
    color=st.sampled_from(["rgb", "bgr"]),
    seed=st.integers(0, 99),
)
def test_a_batch_of_images_of_several_sizes(sizes, model_wh, resize, color, seed):
    spec = ModelSpec("yolo_v8", model_wh, resize=resize, color=color, mean=(1.0, 2.0, 3.0), std=(9.0, 8.0, 7.0))
    images = pictures(*sizes, seed=seed)
    for got, image in zip(kernels.letterbox(images, spec), images):
        np.testing.assert_array_equal(got, on_the_host(image, spec))


def test_letterbox_has_the_numpy_twins_bits():
    (image,), spec = pictures((100, 80)), ModelSpec("yolo_v8", (64, 64), mean=(1.0, 2.0, 3.0), std=(58.4, 57.1, 57.4))
    box = geometry.fit((100, 80), spec.input_wh, spec.resize)
    np.testing.assert_array_equal(kernels.letterbox([image], spec)[0], letterbox(image, spec, box))


def test_letterbox_of_a_part_of_an_image():
    (whole,), spec = pictures((100, 80)), ModelSpec("yolo_v8", (64, 64))
    part = whole[10:50, 20:70]
    np.testing.assert_array_equal(kernels.letterbox([part], spec)[0], on_the_host(part, spec))


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", LUMA)
@pytest.mark.parametrize("format", FORMATS)
def test_every_pixel_format_has_the_numpy_twins_bits(format, matrix, full_range):
    spec = ModelSpec("yolo_v8", (48, 40), mean=(1.0, 2.0, 3.0), std=(58.4, 57.1, 57.4))
    batch = [picture(format, *wh, 5, matrix, full_range) for wh in ((101, 57), (30, 43), (1, 1))]
    for got, pixels in zip(kernels.letterbox(batch, spec), batch):
        box = geometry.fit((pixels.width, pixels.height), spec.input_wh, spec.resize)
        np.testing.assert_array_equal(got, letterbox(to_bgr(pixels), spec, box))


def test_float16_is_float32_rounded():
    (image,), spec = pictures((100, 80)), ModelSpec("yolo_v8", (64, 64), std=(58.4, 57.1, 57.4))
    got = kernels.letterbox([image], spec, half=True)[0]
    np.testing.assert_array_equal(got, on_the_host(image, spec).astype(np.float16))


def test_every_float16_widens():
    halves = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16).view(np.float16)
    np.testing.assert_array_equal(kernels.widen(halves), halves.astype(np.float32))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_whole_numbers_become_floats(dtype):
    numbers = np.array([0, 1, -1, 90, 1 << 24, 2**31 - 1, -(2**31)] * 99, dtype)
    np.testing.assert_array_equal(kernels.from_whole(numbers), numbers.astype(np.float32))


ALL = Thresholds(conf=0.2, iou=1.0, max_det=200)


def assert_the_hosts(spec, tensors, limits, frame=LETTERBOX_FRAME, mask=None, threads=kernels.THREADS):
    want = run(spec, tensors, limits, frame, mask)
    got = kernels.decode(spec, tensors, limits, frame, as_mask(spec, mask), threads)
    assert [len(rows) for rows in got] == [len(rows) for rows in want]
    for got_rows, want_rows in zip(got, want):
        np.testing.assert_array_equal(got_rows, want_rows)
    return want


@pytest.mark.parametrize("objectness", [None, "none", "sigmoid"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", BOX_KINDS)
def test_every_kind_has_the_hosts_bits(kind, activation, objectness):
    layout = LAYOUTS[(BOX_KINDS.index(kind) + ACTIVATIONS.index(activation)) % len(LAYOUTS)]
    spec, tensors = scene(kind, layout, activation, objectness, box_activation="sigmoid", ties=True, batch=1)
    assert min(len(rows) for rows in assert_the_hosts(spec, tensors, ALL)) > 5


@pytest.mark.parametrize("kept", COUNTS)
def test_class_numbers_and_a_count_have_the_hosts_bits(kept):
    assert_the_hosts(*numbered(kept), ALL)


@pytest.mark.parametrize("multi_label", [False, True])
def test_classes_after_the_others(multi_label):
    spec, tensors = scene("cxcywh", "rows", "softmax", None, first_class=1, last_classes=2, batch=1, classes=3)
    assert_the_hosts(spec, tensors, Thresholds(0.2, 1.0, 200, multi_label=multi_label))


@pytest.mark.parametrize("kind", BOX_KINDS)
def test_every_kind_is_the_numpy_twins_within_its_rounding(kind):
    """Exponentials differ by a few units in the last place between libraries: 1e-3 px, 1e-5 in scores."""
    spec, tensors = scene(kind, "planar", "sigmoid", "sigmoid", box_activation="sigmoid", batch=1)
    got = kernels.decode(spec, tensors, ALL, LETTERBOX_FRAME, as_mask(spec, None))
    assert_same(got, twin(spec, tensors, ALL, LETTERBOX_FRAME))


@FEWER
@given(
    kind=st.sampled_from(BOX_KINDS),
    layout=st.sampled_from(LAYOUTS),
    activation=st.sampled_from(ACTIVATIONS),
    objectness=st.sampled_from([None, "none", "sigmoid"]),
    seed=st.integers(0, 10**6),
    classes=st.sampled_from([1, 2, 9, 17]),
    first_class=st.integers(0, 2),
    bins=st.sampled_from([1, 16]),
    conf=st.sampled_from([0.0, 0.05, 0.25, 0.9]),
    iou=st.sampled_from([0.0, 0.45, 1.0]),
    max_det=st.sampled_from([1, 7, 100]),
    multi_label=st.booleans(),
    powers=st.sampled_from([(1.0, 1.0), (0.4, 0.6)]),
)
def test_random_descriptions(kind, seed, classes, conf, iou, max_det, multi_label, powers, **what):
    more = {"class_power": powers[0], "objectness_power": powers[1]}
    spec, tensors = scene(kind, seed=seed, classes=classes, batch=1, **what, **more)
    mask = np.random.default_rng(seed).integers(0, 4, classes) > 0
    assert_the_hosts(spec, tensors, Thresholds(conf, iou, max_det, multi_label=multi_label), mask=mask)


@FEWER
@given(seed=st.integers(0, 10**6), classes=st.sampled_from([1, 3]), threads=st.sampled_from([32, 64, 128]))
def test_ties_are_broken_as_on_the_host(seed, classes, threads):
    """Many equal scores and touching boxes: which are kept is decided by the order of candidates alone."""
    spec, tensors = corners(*random_corners(seed, 200, classes, 30, 4))
    assert_the_hosts(spec, tensors, Thresholds(0.2, 0.5, 60), threads=threads)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 64, 1000, 1023, 1024, 1025, 1500])
@pytest.mark.parametrize("max_det", [1, 20, 32, 300])
def test_few_and_many_candidates(count, max_det):
    """Up to 1,024 are sorted at once; of more, the next best are found first."""
    spec, tensors = corners(*random_corners(count, count, 3, 200, 30))
    assert_the_hosts(spec, tensors, Thresholds(0.0, 0.5, max_det), threads=32)


def test_finished_detections_are_only_sorted():
    spec, tensors = corners(*random_corners(3, 100, 2, 30, 50), nms=False)
    assert_the_hosts(spec, tensors, Thresholds(0.1, 0.5, 40))


def test_boxes_that_are_not_finite_are_passed_over():
    spec, tensors = corners(*random_corners(5, 60, 1, 30, 50))
    tensors[0][:, ::3, 1] = np.nan
    tensors[0][:, 1::7, 2] = np.inf
    assert_the_hosts(spec, tensors, Thresholds(0.1, 0.5, 40))


@pytest.mark.skipif(SANITIZED, reason="takes a minute under a sanitizer")
def test_more_candidates_than_are_looked_at():
    """40,000 boxes in one place, and one elsewhere: the device looks at as many as the host does."""
    scores = np.linspace(0.3, 0.9, 40000, dtype=np.float32)[None, :, None]  # the first 10,000 are not looked at
    for apart, kept in ((9999, 1), (10000, 2)):
        boxes = np.tile(np.array([0, 0, 10, 10], np.float32), (1, 40000, 1))
        boxes[:, apart] += 20
        spec, tensors = corners(boxes, scores)
        assert len(assert_the_hosts(spec, tensors, Thresholds(0.2, 0.5, 5), threads=32)[0]) == kept


@pytest.mark.skipif(SANITIZED, reason="is the outer test")
def test_clean_under_the_address_and_undefined_behaviour_sanitizers():
    answer = subprocess.run(["g++", "-print-file-name=libasan.so"], capture_output=True, encoding="utf-8", check=True)
    preload = answer.stdout.strip()
    if not Path(preload).is_file():
        pytest.skip("needs libasan, which comes with g++")
    flags = "-fsanitize=address,undefined -fno-sanitize-recover=all -g"
    env = {**os.environ, "EDGE_KERNEL_FLAGS": flags, "LD_PRELOAD": preload, "ASAN_OPTIONS": "detect_leaks=0"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    tests = [__file__, str(Path(__file__).with_name("test_suppress.py"))]
    done = subprocess.run([*command, *tests], env=env, capture_output=True, encoding="utf-8", check=False, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert " passed" in done.stdout
