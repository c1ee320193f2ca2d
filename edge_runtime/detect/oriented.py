"""Tells oriented boxes from upright ones. They have an angle after the classes, which looks like one class more."""

from __future__ import annotations

import math
from typing import Optional

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.model.unread import Unread

LOW, HIGH = -math.pi / 2, math.pi  # of an angle, radians; that of Ultralytics is in -pi/4..3pi/4
SLACK = 0.02  # of float16 and INT8
SCORE = 1.1  # no score is higher
OFTEN = 0.05  # share of the places where an angle is no score; few are where an INT8 file has scores of 1.25
COMMON = 0.1  # median of a column of angles at least, and of scores at most
REASON = "what follows its scores would be an angle, as oriented boxes have"
KIND = Unread(
    "oriented boxes, which are rotated",
    "only upright boxes are read: export a model of the task detect, `yolo export model=yolo11n.pt format=onnx`",
)


def odd_scores(scores: Floats) -> Optional[str]:
    """Returns REASON if the last of the columns is an angle, or if the rows are finished oriented boxes; else None.

    Args:
        scores: (n, classes) as the file has them, not activated.
    """
    if scores.shape[1] < 2 or len(scores) < 2 or not np.isfinite(scores).all():
        return None
    return REASON if _is_angle(scores) or _is_finished(scores) else None


def _is_angle(scores: Floats) -> bool:
    """Angles lie around each place of the grid, also where no object is; scores do not."""
    others, angle = scores[:, :-1], scores[:, -1]
    plain = others.min() > -SLACK and others.max() < SCORE and np.median(others.max(axis=1)) < COMMON
    beyond = np.mean((angle < -SLACK) | (angle > SCORE)) > OFTEN or np.median(np.abs(angle)) > COMMON
    return bool(plain and beyond and _in_range(angle))


def _is_finished(scores: Floats) -> bool:
    """Rows of `score, class, angle`, best first."""
    if scores.shape[1] != 3:
        return False
    score, number, angle = scores.T
    best_first = (np.diff(score) <= 0).all() and score[0] < SCORE and score[0] > score[-1] >= -SLACK
    whole = (number == np.rint(number)).all() and number.min() >= 0
    return bool(best_first and whole and angle.any() and _in_range(angle))


def _in_range(angle: Floats) -> bool:
    return bool(angle.min() > LOW - SLACK and angle.max() < HIGH + SLACK)
