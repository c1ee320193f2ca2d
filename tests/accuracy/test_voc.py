"""The VOC protocol against published figures, and laws that any average precision obeys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.accuracy import voc
from edge_runtime.types import Truth

# The sample of github.com/rafaelpadilla/Object-Detection-Metrics (MIT): per image, objects x y w h, then detections
# score x y w h. Its README gives 26.84 % (11-point) and 24.56 % (all-point) at IoU 0.3.
SAMPLE = (
    ("25 16 38 56, 129 123 41 62", ".88 5 67 31 48, .70 119 111 40 67, .80 124 9 49 67"),
    ("123 11 43 55, 38 132 59 45", ".71 64 111 64 58, .54 26 140 60 47, .74 19 18 43 35"),
    (
        "16 14 35 48, 123 30 49 44, 99 139 47 47",
        ".18 109 15 77 39, .67 86 63 46 45, .38 160 62 36 53, .91 105 131 47 47, .44 18 148 40 44",
    ),
    ("53 42 40 52, 154 43 31 34", ".35 83 28 28 26, .78 28 68 42 67, .45 87 89 25 39, .14 10 155 60 26"),
    ("59 31 44 51, 48 128 34 52", ".62 50 38 28 46, .44 95 11 53 28, .95 29 131 72 29, .23 29 163 72 29"),
    ("36 89 52 76, 62 58 44 67", ".45 43 48 74 38, .84 17 155 29 35, .43 95 110 25 42"),
    ("28 31 55 63, 58 67 50 58", ".48 16 20 101 88, .95 33 116 37 49"),
)


def numbers(text: str) -> np.ndarray:
    return np.array([[float(v) for v in row.split()] for row in text.split(",")])


def truth(xyxy, class_id=None, difficult=None) -> Truth:
    xyxy = np.asarray(xyxy, float).reshape(-1, 4)
    count = len(xyxy)
    ids = np.zeros(count, int) if class_id is None else np.asarray(class_id)
    return Truth(xyxy, ids, np.zeros(count, bool) if difficult is None else np.asarray(difficult))


def sample():
    truths, detections = [], []
    for objects, found in SAMPLE:
        boxes, rows = numbers(objects), numbers(found)
        boxes[:, 2:] += boxes[:, :2]
        truths.append(truth(boxes))
        xyxy = np.concatenate([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:5]], 1)
        detections.append(np.column_stack([xyxy, rows[:, 0], np.zeros(len(rows))]))
    return detections, truths


def test_the_published_sample():
    (curve,) = voc.curves(*sample(), num_classes=1, iou=0.3, last_pixel=1.0)
    assert curve.truths == 15 and len(curve.score) == 24
    assert round(100 * curve.eleven_point(), 2) == 26.84
    assert round(100 * curve.all_point(), 2) == 24.57


def box(x, y, score=0.9, class_id=0, side=10):
    return [x, y, x + side, y + side, score, class_id]


def ap(detections, truths, metric="all_point"):
    (curve,) = voc.curves([np.array(rows, np.float32).reshape(-1, 6) for rows in detections], truths, 1)
    return getattr(curve, metric)()


@pytest.mark.parametrize("metric", ["all_point", "eleven_point"])
def test_everything_and_nothing(metric):
    truths = [truth([[0, 0, 10, 10], [50, 50, 60, 60]])]
    assert ap([[box(0, 0), box(50, 50)]], truths, metric) == 1.0
    assert ap([[]], truths, metric) == 0.0
    assert ap([[box(200, 200)]], truths, metric) == 0.0


def test_a_second_match_is_wrong_and_a_difficult_one_is_not_counted():
    easy, both = truth([[0, 0, 10, 10]]), truth([[0, 0, 10, 10], [50, 50, 60, 60]], difficult=[False, True])
    assert ap([[box(0, 0, 0.9), box(0, 1, 0.95)]], [easy]) == 1.0, "the better score matched first"
    (curve,) = voc.curves([np.array([box(0, 0, 0.9), box(0, 1, 0.8)])], [easy], 1)
    assert curve.precision.tolist() == [1.0, 0.5]
    (curve,) = voc.curves([np.array([box(50, 50, 0.99), box(0, 0, 0.9)])], [both], 1)
    assert curve.truths == 1 and curve.precision.tolist() == [1.0]


def test_last_pixels_and_edges_are_the_same_overlap_and_the_threshold_is_strict():
    """Pixels 0..9 and 0..4 of the kit are edges 0..10 and 0..5 of ours: half, which is not more than half."""
    assert voc.overlap(np.array([0, 0, 9, 9]), np.array([[0.0, 0, 9, 4]]), last_pixel=1.0)[0] == 0.5
    assert voc.overlap(np.array([0, 0, 10, 10]), np.array([[0.0, 0, 10, 5]]))[0] == 0.5
    assert ap([[[0, 0, 10, 10, 0.9, 0]]], [truth([[0, 0, 10, 5]])]) == 0.0
    assert ap([[[0, 0, 10, 10, 0.9, 0]]], [truth([[0, 0, 10, 5.01]])]) == 1.0


def test_a_crowd_is_ignored_like_a_difficult_object():
    crowd = Truth(np.array([[0.0, 0, 10, 10], [50, 50, 60, 60]]), np.zeros(2, int), np.zeros(2, bool),
                  crowd=np.array([False, True]))  # fmt: skip
    (curve,) = voc.curves([np.array([box(50, 50, 0.99), box(0, 0, 0.9)])], [crowd], 1)
    assert curve.truths == 1 and curve.precision.tolist() == [1.0]


def test_recall_levels_are_exact_tenths():
    """Three of ten found, all right: recall 0.3 counts for the levels 0, 0.1, 0.2 and 0.3."""
    truths = [truth([[20 * k, 0, 20 * k + 10, 10] for k in range(10)])]
    assert ap([[box(20 * k, 0) for k in range(3)]], truths, "eleven_point") == pytest.approx(4 / 11)


def test_the_mean_leaves_out_classes_without_objects():
    found = voc.curves([np.array([box(0, 0)])], [truth([[0, 0, 10, 10]])], 3)
    assert voc.mean([curve.all_point() for curve in found], found) == 1.0
    assert voc.mean([], []) == 0.0


scenes = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=4),
        st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.floats(0.02, 0.99)), max_size=5),
    ),
    min_size=1,
    max_size=4,
)


@given(scenes, st.randoms())
def test_laws(scene, random):
    truths = [truth([[x, y, x + 10, y + 10] for x, y in objects]) for objects, _ in scene]
    rows = [[box(x, y, score) for x, y, score in found] for _, found in scene]
    for metric in ("all_point", "eleven_point"):
        value = ap(rows, truths, metric)
        assert 0.0 <= value <= 1.0
        worse = [[*rows[0], box(500, 500, 0.01)], *rows[1:]]
        assert ap(worse, truths, metric) <= value + 1e-12, "a wrong detection of the lowest score"
    scores = [score for _, found in scene for *_, score in found]
    if len(set(np.float32(scores).tolist())) == len(scores):
        order = list(range(len(scene)))
        random.shuffle(order)
        assert ap([rows[i] for i in order], [truths[i] for i in order]) == pytest.approx(ap(rows, truths))
