from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Optional, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_runtime.errors import SpecError
from edge_runtime.model.decode import ACTIVATIONS, BOX_KINDS, DecodeSpec, Level, View
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops
from tests.scenes import COUNTS, LAYOUTS, LETTERBOX_FRAME, assert_same, numbered, run, scene, twin

ALL = Thresholds(conf=0.2, iou=1.0, max_det=5000)  # nothing is suppressed: the decoding alone


@pytest.mark.parametrize("objectness", [None, "none", "sigmoid"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", BOX_KINDS)
def test_every_kind_in_every_layout(kind: str, layout: str, activation: str, objectness: Optional[str]) -> None:
    spec, tensors = scene(kind, layout, activation, objectness, box_activation="sigmoid", ties=True)
    want = twin(spec, tensors, ALL, LETTERBOX_FRAME)
    assert min(len(rows) for rows in want) > 5
    assert_same(run(spec, tensors, ALL, LETTERBOX_FRAME), want)


@given(
    kind=st.sampled_from(BOX_KINDS),
    layout=st.sampled_from(LAYOUTS),
    activation=st.sampled_from(ACTIVATIONS),
    objectness=st.sampled_from([None, "none", "sigmoid"]),
    seed=st.integers(0, 10**6),
    classes=st.sampled_from([1, 2, 7, 8, 9, 17, 33]),
    first_class=st.integers(0, 2),
    bins=st.sampled_from([1, 2, 16]),
    num_anchors=st.integers(1, 3),
    grids=st.sampled_from([((1, 1),), ((33, 32),), ((5, 3), (2, 2), (1, 1))]),  # one is larger than a block of 1024
    conf=st.sampled_from([0.0, 0.001, 0.05, 0.25, 0.5, 0.9, 0.999]),
    multi_label=st.booleans(),
    more=st.fixed_dictionaries({
        "box_activation": st.sampled_from(["none", "sigmoid"]),
        "class_power": st.sampled_from([1.0, 0.4]),
        "objectness_power": st.sampled_from([1.0, 0.6]),
        "cell_offset": st.sampled_from([0.0, 0.5]),
        "box_scale": st.sampled_from([(1.0, 1.0), (1.5, 0.5)]),
        "max_exponent": st.sampled_from([float("inf"), 0.1]),
    }),
)  # fmt: skip
def test_random_descriptions(
    kind: str, seed: int, classes: int, conf: float, multi_label: bool, more: Dict[str, Any], **what: Any
) -> None:
    spec, tensors = scene(kind, seed=seed, classes=classes, batch=1, **what, **more)
    multi_label = multi_label and what["grids"] != ((33, 32),)
    limits = Thresholds(conf, iou=1.0, max_det=4000, multi_label=multi_label)
    mask = np.random.default_rng(seed).integers(0, 4, classes) > 0
    assert_same(run(spec, tensors, limits, mask=mask), twin(spec, tensors, limits, mask=mask))


BOX, SCORE, CLASS = (View(0, first, 0, 6, 1) for first in (0, 4, 5))
FINISHED = DecodeSpec("xyxy", (Level((4, 1), BOX, SCORE, class_id=CLASS),), num_classes=3, nms=False)


def test_finished_candidates_keep_their_class() -> None:
    rows = np.array(
        [[[1, 2, 30, 40, 0.5, 2], [1, 2, 30, 40, 0.9, 0], [5, 5, 9, 9, 0.7, 3], [5, 5, 9, 9, 0.8, np.nan]]], np.float32
    )
    (got,) = run(FINISHED, [rows], Thresholds())
    assert got.tolist() == [rows[0, 1].tolist(), rows[0, 0].tolist()]  # neither class 3 nor NaN exist
    (got,) = run(FINISHED, [rows], Thresholds(), mask=[0, 1, 1])
    assert got.tolist() == [rows[0, 0].tolist()]


@pytest.mark.parametrize("kept", COUNTS)
def test_class_numbers_and_a_count_in_outputs_of_their_own(kept: float) -> None:
    spec, tensors = numbered(kept)
    (got,) = run(spec, tensors, ALL)
    held = [k for k in range(40) if k < kept and 1 <= tensors[1][0, k] <= 3 and tensors[2][0, k] > ALL.conf]
    expected = sorted(((tensors[2][0, k], tensors[1][0, k] - 1) for k in held), reverse=True)
    assert got[:, 4:].tolist() == [[float(score), float(number)] for score, number in expected]
    assert_same([got], twin(spec, tensors, ALL))


@pytest.mark.parametrize("layout", ["planar", "rows"])
@pytest.mark.parametrize("multi_label", [False, True])
def test_classes_after_the_others_take_part_in_the_softmax(layout: str, multi_label: bool) -> None:
    for first, last in ((0, 1), (2, 3), (1, 0)):
        spec, tensors = scene(
            "cxcywh", layout, "softmax", None, first_class=first, last_classes=last, batch=1, classes=3
        )
        for conf in (0.0, 0.2, 0.6):
            limits = Thresholds(conf, iou=1.0, max_det=4000, multi_label=multi_label)
            assert_same(run(spec, tensors, limits), twin(spec, tensors, limits))


@pytest.mark.parametrize("activation", ["none", "sigmoid"])
def test_infinite_and_missing_values(activation: str) -> None:
    spec, (tensor,) = scene("cxcywh", "rows", activation, "sigmoid", num_anchors=1, grids=[(10, 1)], batch=1)
    tensor[0, 0, 0, 5:] = np.nan
    tensor[0, 1, 0, 6] = np.nan  # another class may still win
    tensor[0, 2, 0, 4] = np.nan
    tensor[0, 3, 0, 4:7] = np.inf  # certain after a sigmoid, else nonsense
    tensor[0, 4, 0, 5:] = -np.inf
    tensor[0, 5, 0, 4] = -np.inf
    tensor[0, 6:9, 0, 4:6] = 0.99 if activation == "none" else 9
    tensor[0, 6, 0, 0], tensor[0, 7, 0, 2], tensor[0, 8, 0, 1:3] = np.nan, np.inf, 1e38
    for multi_label in (False, True):
        limits = Thresholds(0.1, 1.0, multi_label=multi_label)
        assert_same(run(spec, [tensor], limits), twin(spec, [tensor], limits))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("objectness", [None, "sigmoid"])
def test_extreme_thresholds(activation: str, objectness: Optional[str]) -> None:
    spec, tensors = scene("cxcywh", "planar", activation, objectness)
    tensors[0][:, :, :, :] += 40 if activation == "sigmoid" else 0  # saturated: exactly 1 in float32
    everything = Thresholds(0.0, 1.0, 4000, multi_label=True)
    assert_same(run(spec, tensors, everything), twin(spec, tensors, everything))
    assert [len(rows) for rows in run(spec, tensors, Thresholds(1.0))] == [0, 0]


@pytest.mark.parametrize("powers", [(1.0, 1.0), (0.4, 0.6)])
@pytest.mark.parametrize("objectness", [None, "sigmoid"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("first_class", [0, 1])
@pytest.mark.parametrize("layout", ["planar", "rows"])
def test_the_tests_on_logits_lose_nothing(
    layout: str, first_class: int, activation: str, objectness: Optional[str], powers: Tuple[float, float]
) -> None:
    spec, tensors = scene(
        "cxcywh", layout, activation, objectness, first_class=first_class, class_power=powers[0],
        objectness_power=powers[1], batch=1, classes=3,
    )  # fmt: skip
    tensors[0] *= 1 if activation == "none" else 3
    for multi_label in (False, True):
        everything = run(spec, tensors, Thresholds(0.0, 1.0, 1000, multi_label=multi_label))[0][:, 4]
        for score in everything[::9]:
            for conf in (np.nextafter(score, np.float32(0)), score):
                (rows,) = run(spec, tensors, Thresholds(float(conf), 1.0, 1000, multi_label=multi_label))
                assert len(rows) == np.count_nonzero(everything > conf)


NUMBERED = Level((8, 1), View(0, 0, 0, 4, 1), View(1, 0, 0, 1, 1))


def flat(count: int, classes: int = 1, **more: Any) -> DecodeSpec:
    """Corners (1, count, 4) and scores (1, count, classes)."""
    level = Level((count, 1), View(0, 0, 0, 4, 1), View(1, 0, 0, classes, 1))
    return DecodeSpec("xyxy", (level,), classes, **more)


def test_a_description_that_reaches_outside() -> None:
    with pytest.raises(SpecError, match=r"output 1 is \(1, 7, 3\) and holds 21 values per image, the head reads 24"):
        ops.Decoder(flat(8, 3), [(1, 8, 4), (1, 7, 3)])
    with pytest.raises(SpecError, match="does not exist"):
        ops.Decoder(flat(8), [(1, 8, 4)])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"class_power": 0.0}, "above 0"),
        ({"box_activation": "softmax"}, "none or sigmoid"),
        ({"objectness_activation": "softmax"}, "none or sigmoid"),
        ({"levels": (replace(NUMBERED, class_id=View(1, 0, 0, 1, 1)),), "class_activation": "softmax"}, "softmax"),
        ({"levels": (replace(NUMBERED, class_id=View(2, 0, 0, 1, 1)),)}, "does not exist"),
        ({"levels": (replace(NUMBERED, count=View(1, 1 << 60, 0, 0, 0)),)}, "more than a tensor"),
        ({"last_classes": -1}, "class"),
        ({"bins": 0}, "bins"),
        ({"first_class": -1}, "class"),
        ({"num_classes": 1 << 30}, "channels"),
        ({"kind": "prior", "priors": np.zeros((7, 4), np.float32)}, "priors end"),
        ({"levels": (Level((0, 1), View(0, 0, 0, 4, 1), View(1, 0, 0, 1, 1)),)}, "without candidates"),
        ({"levels": (Level((1 << 30, 8), View(0, 0, 0, 4, 1), View(1, 0, 0, 1, 1)),)}, "two billion"),
        ({"levels": (Level((8, 1), View(0, 0, 0, 4, 1), View(1, 0, 0, 1, 1), anchors=()),)}, "without candidates"),
        ({"levels": (Level((8, 1), View(0, 0, 0, -4, 1), View(1, 0, 0, 1, 1)),)}, "negative"),
        ({"levels": (Level((8, 1), View(0, 1 << 60, 0, 4, 1), View(1, 0, 0, 1, 1)),)}, "more than a tensor"),
        ({"levels": (Level((8, 1), View(-1, 0, 0, 4, 1), View(1, 0, 0, 1, 1)),)}, "does not exist"),
    ],
)
def test_contradictory_descriptions(change: Dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        ops.Decoder(replace(flat(8), **change), [(1, 8, 4), (1, 8, 1)])


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


MISALIGNED = np.zeros(257, np.uint8)[1:].view(np.float32)
BAD_ARRAYS = [
    ("tensors", [np.zeros((2, 8, 4), np.float32)], "1 tensors"),
    ("tensors", [np.zeros((2, 8, 4)), np.zeros((2, 8, 1), np.float32)], r"output 0 is \(2, 8, 4\) float64"),
    ("tensors", [np.zeros((2, 4, 8), np.float32).transpose(0, 2, 1), np.zeros((2, 8, 1), np.float32)], "C-contiguous"),
    ("tensors", [np.zeros((1, 8, 4), np.float32), np.zeros((2, 8, 1), np.float32)], "2 x 32 values"),
    ("tensors", [np.zeros((2, 8, 3), np.float32), np.zeros((2, 8, 1), np.float32)], "2 x 32 values"),
    ("tensors", [np.zeros((), np.float32), np.zeros((2, 8, 1), np.float32)], r"output 0 is \(\)"),
    ("tensors", [[1.0], np.zeros((2, 8, 1), np.float32)], "output 0 is list"),
    ("tensors", [np.zeros((2, 8, 4), ">f4"), np.zeros((2, 8, 1), np.float32)], ">f4"),
    (
        "tensors",
        [np.zeros(257, np.uint8)[1:].view(np.float32).reshape(2, 8, 4), np.zeros((2, 8, 1), np.float32)],
        "aligned",
    ),
    ("frames", np.zeros((2, 6), np.float32), "frames"),
    ("frames", np.zeros((2, 5)), "frames"),
    ("class_mask", np.ones(2, np.uint8), "class_mask"),
    ("class_mask", np.ones(1, bool), "class_mask"),
    ("boxes", np.zeros((2, 9, 6), np.float32), r"C-contiguous \(2, 10, 6\)"),
    ("boxes", np.zeros((2, 10, 6)), "boxes"),
    ("boxes", np.zeros((2, 10, 12), np.float32)[:, :, ::2], "boxes"),
    ("boxes", read_only(np.zeros((2, 10, 6), np.float32)), "writable"),
    ("counts", np.zeros(2, np.int64), "counts"),
    ("counts", np.zeros(3, np.int32), "counts"),
    ("counts", None, "counts is NoneType"),
]


@pytest.mark.parametrize(("name", "array", "sentence"), BAD_ARRAYS)
def test_arrays_that_do_not_fit(name: str, array: Any, sentence: str) -> None:
    good: Dict[str, Any] = {
        "tensors": [np.zeros((2, 8, 4), np.float32), np.zeros((2, 8, 1), np.float32)],
        "frames": np.ones((2, 6)),
        "thresholds": Thresholds(max_det=10),
        "class_mask": np.ones(1, np.uint8),
        "boxes": np.zeros((2, 10, 6), np.float32),
        "counts": np.zeros(2, np.int32),
    }
    decoder = ops.Decoder(flat(8), [(2, 8, 4), (2, 8, 1)])
    decoder(**good)
    with pytest.raises(SpecError, match=sentence):
        decoder(**{**good, name: array})


@given(
    kind=st.sampled_from(BOX_KINDS),
    layout=st.sampled_from(LAYOUTS),
    activation=st.sampled_from(ACTIVATIONS),
    objectness=st.sampled_from([None, "none", "sigmoid"]),
    noise=st.binary(min_size=16, max_size=512),
    conf=st.floats(0, 1),
    frame=st.tuples(*[st.floats(0.01, 10)] * 2, *[st.integers(-50, 50)] * 2, *[st.integers(1, 9999)] * 2),
)
def test_whatever_the_bytes_the_rows_are_sane(
    kind: str,
    layout: str,
    activation: str,
    objectness: Optional[str],
    noise: bytes,
    conf: float,
    frame: Tuple[Any, ...],
) -> None:
    spec, tensors = scene(kind, layout, activation, objectness, bins=3)
    garbage = np.frombuffer(noise[: len(noise) // 4 * 4], np.float32)
    for tensor in tensors:
        tensor.reshape(-1)[::2] = np.resize(garbage, tensor.reshape(-1)[::2].shape)
    for multi_label in (False, True):
        for rows in run(spec, tensors, Thresholds(conf, max_det=50, multi_label=multi_label), frame):
            assert np.isfinite(rows).all()
            assert np.all(rows[:, 4] > np.float32(conf)) and np.all(np.diff(rows[:, 4]) <= 0)
            assert np.all(rows[:, :2] >= 0) and np.all(rows[:, 2:4] <= frame[4:])
            assert np.all(rows[:, 2:4] > rows[:, :2])
            assert np.isin(rows[:, 5], np.arange(spec.num_classes)).all()
