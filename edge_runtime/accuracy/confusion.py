"""Counts which class was mistaken for which, at one confidence."""

from __future__ import annotations

from typing import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.accuracy.voc import overlap
from edge_runtime.types import Truth

Counts = NDArray[np.int64]


def matrix(
    detections: Sequence[NDArray[np.float32]],
    truths: Sequence[Truth],
    num_classes: int,
    conf: float = 0.25,
    iou: float = 0.5,
) -> Counts:
    """Returns counts (num_classes + 1, num_classes + 1): row = labelled class, column = found class, last = nothing.

    Boxes of any two classes are paired, those with the best overlap first. Each box is used once. Ignored objects
    (difficult, crowds) and detections on them do not count.

    Args:
        detections: per image (n, 6) `[x1, y1, x2, y2, score, class_id]`, image pixels.
        conf: detections below it are left out.
        iou: least overlap of a pair.
    """
    counts = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for rows, truth in zip(detections, truths):
        _count(counts, rows[rows[:, 4] >= conf], truth, iou)
    return counts


def _count(counts: Counts, rows: NDArray[np.float32], truth: Truth, iou: float) -> None:
    nothing = len(counts) - 1
    overlaps = np.array([overlap(row[:4], truth.xyxy) for row in rows]).reshape(len(rows), len(truth.xyxy))
    partner = np.full(len(truth.xyxy), nothing)
    unpaired = np.ones(len(rows), bool)
    for place in np.argsort(-overlaps, axis=None, kind="stable"):
        row, thing = np.unravel_index(place, overlaps.shape)
        if overlaps[row, thing] < iou:
            break
        if unpaired[row] and partner[thing] == nothing:
            unpaired[row], partner[thing] = False, int(rows[row, 5])
    np.add.at(counts, (truth.class_id[~truth.ignored], partner[~truth.ignored]), 1)
    on_ignored = (overlaps[:, truth.ignored] >= iou).any(axis=1)
    np.add.at(counts, (nothing, rows[unpaired & ~on_ignored, 5].astype(int)), 1)
