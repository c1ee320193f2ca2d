"""Thresholds and NMS: each way against greedy NMS worked out by hand, and each is found again from its boxes."""

from __future__ import annotations

from typing import List

import numpy as np
import pytest

from edge_runtime.audit import suppression
from edge_runtime.audit.suppression import Cut, Nms, Pool
from edge_runtime.model.thresholds import Thresholds

KNOWN = suppression.of_thresholds(Thresholds(0.25, 0.45, 300))
ROWS = np.array(
    [
        (0, 0, 10, 10, 0.9, 0),
        (0, 0, 10, 8, 0.8, 0),  # IoU 0.8 with the first
        (0, 0, 10, 6, 0.7, 1),  # another class, IoU 0.6
        (0, 4, 10, 10, 0.6, 0),  # IoU 0.6 with the first
        (50, 0, 60, 10, 0.3, 0),
        (80, 0, 90, 10, 0.1, 1),
    ],
    np.float32,
)


@pytest.mark.parametrize(
    ("nms", "kept"),
    [
        (Nms(0.45), [0, 2, 4, 5]),
        (Nms(0.7), [0, 2, 3, 4, 5]),
        (Nms(0.85), [0, 1, 2, 3, 4, 5]),
        (Nms(0.45, agnostic=True), [0, 4, 5]),
        (Nms(2.0), [0, 1, 2, 3, 4, 5]),
    ],
)
def test_nms(nms: Nms, kept: List[int]) -> None:
    assert Pool(ROWS).left(nms).tolist() == ROWS[kept].tolist()


def found(theirs: List[int]) -> suppression.Selected:
    rows = [ROWS[theirs]]
    return suppression.best({False: [Pool(ROWS)], True: [Pool(ROWS)]}, KNOWN, rows, float(rows[0][:, 4].min()))


@pytest.mark.parametrize(
    ("theirs", "cut", "nms"),
    [
        ([0, 2, 4], "", ""),
        ([0, 2, 4, 5], "a confidence threshold near 0.1, not 0.25", ""),
        ([0, 2], "a confidence threshold near 0.7, not 0.25", ""),
        ([0, 4], "", "NMS over all classes at once"),
        ([0, 2, 3, 4], "", "NMS at IoU 0.6, not 0.45"),
        ([0, 1, 2, 3, 4], "", "NMS at IoU 0.8, not 0.45"),
        ([2], "boxes of 1 classes only", ""),
    ],
)
def test_it_is_found_again(theirs: List[int], cut: str, nms: str) -> None:
    selected = found(theirs)
    assert selected.alike == 1.0
    assert (selected.cut.unlike(KNOWN[0]), selected.nms.unlike(KNOWN[1])) == (cut, nms)


def test_the_most_boxes_of_a_picture() -> None:
    many = np.array([(k * 20, 0, k * 20 + 10, 10, 0.9 - k / 100, 0) for k in range(9)], np.float32)
    one = np.array([(0, 0, 10, 10, 0.3, 0)], np.float32)
    candidates = {every: [Pool(many), Pool(one)] for every in (False, True)}
    selected = suppression.best(candidates, KNOWN, [many[:4], one], 0.3)
    assert selected.cut == Cut(0.25, 4) and selected.nms == KNOWN[1]


def test_a_box_at_the_border_says_nothing() -> None:
    rows = ROWS.copy()
    rows[4, 4] = 0.255
    selected = suppression.best(
        {False: [Pool(rows)], True: [Pool(rows)]}, KNOWN, [np.vstack([rows[[0, 2]], [70, 0, 80, 10, 0.26, 0]])], 0.26
    )
    assert selected.cut == KNOWN[0]
