"""Agreement: boxes that move with the picture count for a combination, boxes that stay or come and go against it."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.identify.agreement import compare, iou, pooled, trusted


def rows(*boxes: tuple) -> np.ndarray:
    return np.array(boxes, np.float32).reshape(-1, 6)


THING = (10, 10, 30, 30, 0.9, 1)
TRUST = 0.5 + 0.05 * 0.9  # 0.9 is 0.5 above the least, and a twentieth of it counts anyway


def test_a_box_that_moves_along_agrees() -> None:
    agreed, odd = compare(rows(THING), rows((50, 10, 70, 30, 0.9, 1)), rows(THING))
    assert agreed == pytest.approx(TRUST, abs=1e-6) and odd == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("raw", "moved"),
    [
        ((10, 10, 30, 30, 0.9, 1), (50, 10, 70, 30, 0.9, 1)),  # it stays where it was
        ((10, 10, 30, 30, 0.9, 1), (12, 10, 36, 30, 0.9, 1)),  # it fits better if it has not moved
        ((50, 10, 70, 30, 0.9, 2), (10, 10, 30, 30, 0.9, 2)),  # it becomes another thing
    ],
)
def test_a_box_that_stays_or_changes_does_not(raw: tuple, moved: tuple) -> None:
    agreed, odd = compare(rows(THING), rows(raw), rows(moved))
    assert agreed == 0 and odd == pytest.approx(2 * TRUST)


def test_a_box_that_is_gone_does_not() -> None:
    assert compare(rows(THING), rows(), rows()) == (0.0, pytest.approx(TRUST))
    assert compare(rows(), rows(), rows()) == (0.0, 0.0)


def test_one_box_agrees_with_one_other_only() -> None:
    agreed, odd = compare(rows(THING, THING), rows((50, 10, 70, 30, 0.9, 1)), rows(THING))
    assert agreed == pytest.approx(TRUST) and odd == pytest.approx(TRUST)


def test_overlap_of_a_half_and_of_nothing() -> None:
    found = iou(rows((0, 0, 10, 10, 1, 0)), rows((0, 0, 10, 5, 1, 0), (20, 20, 30, 30, 1, 0)))
    assert found.tolist() == [[0.5, 0.0]]


def test_little_trust_below_the_least_confidence() -> None:
    assert trusted(np.array([0.3], np.float32)) == pytest.approx([0.015])


def test_few_sure_boxes_outweigh_many_that_agree_by_chance() -> None:
    """The figures of a trained YOLOv8n with its own values, and with values 255 times as large."""
    right, far_off = np.array([[0.43, 0.05]]), np.array([[8.0, 108.0]])
    assert pooled(right) > 2 * pooled(far_off) > 0
    assert pooled(np.zeros((5, 2))) == 0
