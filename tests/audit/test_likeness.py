"""Decibels, and what two sets of boxes have in common, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.audit import likeness


def rows(*boxes: tuple) -> np.ndarray:
    return np.array(boxes, np.float32).reshape(-1, 6)


A = (0, 0, 10, 10, 0.9, 1)


def test_decibels() -> None:
    assert likeness.decibels(100.0, 1.0) == pytest.approx(20.0)
    assert likeness.decibels(1.0, 0.0) == likeness.HIGHEST
    assert likeness.decibels(1.0, float("nan")) == likeness.decibels(1.0, float("inf")) == likeness.LOWEST


def test_powers_leave_out_what_pictures_do_not_change() -> None:
    first, second = np.array([3.0, 5.0]), np.array([3.0, 4.0])
    assert likeness.powers(first, second) == (17.0, 0.5)
    assert likeness.powers(first, second, np.array([3.0, 3.0])) == (2.0, 0.5)


@pytest.mark.parametrize(
    ("box", "near"),
    [
        (A, 1.0),
        ((0, 0, 10, 7.5, 0.9, 1), 0.5),  # IoU 0.75
        ((0, 0, 10, 5, 0.9, 1), 0.0),
        ((0, 0, 10, 10, 0.65, 1), 0.0),  # a quarter less sure
        ((0, 0, 10, 10, 0.775, 1), 0.5),
        ((0, 0, 10, 10, 0.9, 2), 0.0),
    ],
)
def test_nearness_falls_evenly(box: tuple, near: float) -> None:
    assert likeness.nearness(rows(A), rows(box))[0, 0] == pytest.approx(near, abs=1e-6)


def test_each_box_is_in_one_pair() -> None:
    twice = rows(A, A)
    assert likeness.sameness([rows(A)], [twice]) == pytest.approx(2 / 3)
    assert likeness.covered(twice, rows(A)).tolist() == [1.0, 1.0]
    assert likeness.sameness([rows()], [rows()]) == likeness.common([rows()], [rows()]) == 1.0
    assert likeness.sameness([rows(A)], [rows()]) == likeness.common([rows(A)], [rows()]) == 0.0


def test_what_is_common_counts_whole() -> None:
    near = rows((0, 0, 10, 9, 0.9, 1))  # IoU 0.9
    assert likeness.sameness([rows(A)], [near]) == pytest.approx(0.8, abs=1e-6)
    assert likeness.common([rows(A)], [near]) == 1.0


def test_boxes_are_clipped_and_their_corners_ordered() -> None:
    found = likeness.tidy(rows((-5, 40, 20, 10, 0.5, 3)), (15, 30))
    assert found.tolist() == [[0, 10, 15, 30, 0.5, 3]]
