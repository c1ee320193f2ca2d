"""Confusion: pairs by overlap whatever the class, the rest is nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.accuracy import confusion
from edge_runtime.types import Truth


def truth(*rows, difficult=()):
    values = np.array(rows, float).reshape(-1, 5)
    hard = np.isin(np.arange(len(values)), difficult)
    return Truth(values[:, :4], values[:, 4].astype(int), hard)


def found(*rows):
    return np.array(rows, np.float32).reshape(-1, 6)


def test_right_wrong_missed_and_invented():
    labelled = truth((0, 0, 10, 10, 0), (20, 20, 30, 30, 1), (50, 50, 60, 60, 1))
    rows = found((0, 0, 10, 10, 0.9, 0), (20, 20, 30, 30, 0.8, 0), (80, 80, 90, 90, 0.7, 1), (50, 50, 60, 60, 0.1, 1))
    assert confusion.matrix([rows], [labelled], 2).tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]


def test_the_better_overlap_is_the_pair():
    rows = found((0, 0, 10, 9, 0.5, 1), (0, 0, 10, 6, 0.9, 0))
    assert confusion.matrix([rows], [truth((0, 0, 10, 10, 1))], 2).tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0]]


def test_ignored_objects_and_what_is_on_them_count_nowhere():
    labelled = truth((0, 0, 10, 10, 0), (20, 20, 30, 30, 1), difficult=(1,))
    rows = found((20, 20, 30, 30, 0.8, 1), (21, 21, 30, 30, 0.7, 0))
    assert confusion.matrix([rows], [labelled], 2).tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


boxes = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 2)), max_size=6)


@given(boxes, boxes)
def test_every_object_and_every_detection_is_counted_once(objects, detections):
    labelled = truth(*((x, y, x + 10, y + 10, c) for x, y, c in objects))
    rows = found(*((x, y, x + 10, y + 10, 0.9, c) for x, y, c in detections))
    counts = confusion.matrix([rows], [labelled], 3)
    assert counts[:3].sum() == len(objects) and counts[:, :3].sum() == len(detections) and counts[3, 3] == 0
