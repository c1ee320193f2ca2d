from __future__ import annotations

from typing import List, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops
from tests.scenes import run, twin

Floats = NDArray[np.float32]


def corners(boxes: Floats, scores: Floats, nms: bool = True) -> Tuple[DecodeSpec, List[Floats]]:
    """Boxes (B, N, 4) and scores (B, N, C) as they are: nothing is rounded, so results are equal to the last bit."""
    _, count, classes = scores.shape
    level = Level((count, 1), View(0, 0, 0, 4, 1), View(1, 0, 0, classes, 1))
    return DecodeSpec("xyxy", (level,), classes, nms=nms), [boxes.astype(np.float32), scores.astype(np.float32)]


def random_corners(seed: int, count: int, classes: int, size: int, levels: int, batch: int = 2) -> List[Floats]:
    """Boxes on an integer grid and few different scores, so that overlaps and scores are often exactly equal."""
    rng = np.random.default_rng(seed)
    start, extent = rng.integers(-5, 60, (batch, count, 2)), rng.integers(-1, size, (batch, count, 2))
    return [np.concatenate([start, start + extent], axis=-1), rng.integers(0, levels, (batch, count, classes)) / levels]


def assert_equal(spec: DecodeSpec, tensors: List[Floats], limits: Thresholds) -> List[Floats]:
    got, want = run(spec, tensors, limits), twin(spec, tensors, limits)
    for got_rows, want_rows in zip(got, want):
        np.testing.assert_array_equal(got_rows, want_rows)
    return got


@given(
    seed=st.integers(0, 10**6),
    count=st.sampled_from([1, 15, 16, 17, 200]),
    classes=st.sampled_from([1, 3]),
    size=st.sampled_from([6, 30]),
    levels=st.sampled_from([2, 5, 1000]),
    iou=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    max_det=st.sampled_from([1, 16, 33, 300]),
    multi_label=st.booleans(),
)
def test_the_same_boxes_are_kept(
    seed: int, count: int, classes: int, size: int, levels: int, iou: float, max_det: int, multi_label: bool
) -> None:
    spec, tensors = corners(*random_corners(seed, count, classes, size, levels))
    assert_equal(spec, tensors, Thresholds(0.1, iou, max_det, multi_label=multi_label))


TABLE = [  # boxes, classes, kept indices at iou 0.5; scores fall with the index
    ([[0, 0, 10, 10], [0, 0, 10, 10]], [0, 0], [0]),  # the same box twice
    ([[0, 0, 10, 10], [0, 0, 10, 10]], [0, 1], [0, 1]),  # of two classes
    ([[0, 0, 10, 10], [0, 0, 10, 5]], [0, 0], [0, 1]),  # exactly 0.5 is not above
    ([[0, 0, 10, 10], [0, 0, 10, 5.01]], [0, 0], [0]),
    ([[0, 0, 10, 10], [10, 0, 20, 10]], [0, 0], [0, 1]),  # touching
    ([[0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10]], [0, 0, 0], [0, 2]),  # a suppressed box suppresses nothing
    ([[-90, 0, -10, 10], [5, 5, 9, 9]], [0, 0], [1]),  # outside the image: gone, and no hole is left
    ([[5, 5, 5, 9], [9, 5, 5, 9], [5, 5, 9, 9]], [0, 0, 0], [2]),  # no area, inside out
    ([[-1e30, -1e30, 1e30, 1e30], [0, 0, 10, 10]], [0, 0], [0, 1]),  # its area is infinite
]


@pytest.mark.parametrize(("boxes", "classes", "kept"), TABLE)
def test_nms_table(boxes: List[List[float]], classes: List[int], kept: List[int]) -> None:
    scores = np.zeros((1, len(boxes), 2), np.float32)
    scores[0, np.arange(len(boxes)), classes] = 0.9 - 0.1 * np.arange(len(boxes))
    spec, tensors = corners(np.array([boxes]), scores)
    (rows,) = assert_equal(spec, tensors, Thresholds(0.25, 0.5))
    np.testing.assert_array_equal(rows[:, 4], scores[0, kept, np.array(classes)[kept]])


def test_equal_scores_stay_in_walk_order() -> None:
    boxes = np.arange(200)[:, None] * [1, 0, 1, 0] + [0, 0, 0.5, 9]
    spec, tensors = corners(boxes[None] / 4, np.full((1, 200, 2), 0.5))
    (rows,) = run(spec, tensors, Thresholds(0.25, multi_label=True, max_det=400))
    np.testing.assert_array_equal(rows[:, 0], np.repeat(boxes[:, 0] / 4, 2))
    np.testing.assert_array_equal(rows[:, 5], np.tile([0, 1], 200))


def test_without_nms_the_best_are_kept() -> None:
    _, scores = random_corners(1, 300, 2, 30, 1000)
    spec, tensors = corners(np.tile([1, 2, 9, 9], (2, 300, 1)), scores, nms=False)
    for rows, image in zip(assert_equal(spec, tensors, Thresholds(0.1, 0.0, 40)), tensors[1]):
        np.testing.assert_array_equal(rows[:, 4], np.sort(image.max(axis=1))[:-41:-1])


def test_at_most_30000_candidates_are_looked_at() -> None:
    boxes = np.tile(np.array([1, 1, 9, 9]), (1, 1000, 1))
    scores = np.random.default_rng(2).integers(1, 2000, (1, 1000, 70)) / 2000
    scores[0, ::2] = np.sort(scores[0, ::2].ravel()).reshape(500, 70)  # rising: the worst case for the buffer
    spec, tensors = corners(boxes, scores, nms=False)
    (rows,) = assert_equal(spec, tensors, Thresholds(0.0, multi_label=True, max_det=30_100))
    assert len(rows) == 30_000


def test_a_decoder_remembers_nothing() -> None:
    spec, tensors = corners(*random_corners(3, 200, 3, 30, 1000))
    decoder = ops.Decoder(spec, [tensor.shape for tensor in tensors])
    want = run(spec, tensors, Thresholds(0.1))
    for limits in (Thresholds(0.1, max_det=3), Thresholds(0.0, 1.0, 600, multi_label=True), Thresholds(1.0)):
        run(spec, tensors, limits, decoder=decoder)
        for again, rows in zip(run(spec, tensors, Thresholds(0.1), decoder=decoder), want):
            np.testing.assert_array_equal(again, rows)
