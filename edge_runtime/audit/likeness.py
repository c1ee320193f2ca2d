"""How near two tensors are, and how near two sets of boxes are."""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.identify.agreement import iou

Floats = NDArray[np.float32]
SHIFT = 0.25  # difference of two scores at which boxes have nothing in common
LOWEST, HIGHEST = -99.0, 199.0  # dB, for tensors without any signal and without any noise


def decibels(signal: float, noise: float) -> float:
    """Signal-to-noise ratio of two powers, dB, from `LOWEST` to `HIGHEST`."""
    if not np.isfinite(noise):
        return LOWEST
    if noise <= 0:
        return HIGHEST
    return float(np.clip(10 * np.log10(max(signal, 1e-30) / noise), LOWEST, HIGHEST))


def powers(first: NDArray[Any], second: NDArray[Any], still: Any = 0.0) -> Tuple[float, float]:
    """Signal and noise of two tensors of one shape: mean squares of what the first has over `still`, and of the rest.

    Args:
        first, second: any shape.
        still: what the first is without any picture; a number, or an array of its shape.
    """
    with np.errstate(all="ignore"):
        signal = np.square(first.astype(np.float64) - still).mean()
        noise = np.square(first.astype(np.float64) - second).mean()
    return float(signal), float(noise)


def tidy(rows: Floats, image_wh: Tuple[int, int]) -> Floats:
    """Boxes (n, 6) with x1 <= x2 and y1 <= y2, clipped to the image: programs differ in what they clip."""
    kept = rows.astype(np.float32, copy=True)
    limit = np.array(image_wh * 2, np.float32)
    corners = np.clip(rows[:, :4], 0, limit)
    kept[:, :2], kept[:, 2:4] = np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])
    return kept


def nearness(first: Floats, second: Floats) -> NDArray[np.float64]:
    """Nearness (n, m) of boxes `[x1, y1, x2, y2, score, class_id]`: 1 if equal, 0 from IoU 0.5 on or by another class.

    It falls evenly with the overlap and with the difference of the scores.
    """
    overlap = np.clip(2 * iou(first, second) - 1, 0, 1)
    scores = np.clip(1 - np.abs(first[:, None, 4] - second[None, :, 4]) / SHIFT, 0, 1)
    return np.asarray(overlap * scores * (first[:, None, 5] == second[None, :, 5]))


def covered(rows: Floats, candidates: Floats) -> NDArray[np.float64]:
    """For each box (n, 6), how near the nearest candidate (m, 6) is, 0..1."""
    if not len(rows) or not len(candidates):
        return np.zeros(len(rows))
    return np.asarray(nearness(rows, candidates).max(axis=1))


def paired(first: Floats, second: Floats) -> List[Tuple[int, int, float]]:
    """Pairs of boxes (number in the first, number in the second, nearness), the nearest first. Each is in one pair."""
    near = nearness(first, second)
    found, some = [], np.flatnonzero(near)
    order = some[np.argsort(-near.ravel()[some], kind="stable")]
    free_first, free_second = np.ones(len(first), bool), np.ones(len(second), bool)
    for row, column in zip(*np.unravel_index(order, near.shape)):
        if free_first[row] and free_second[column]:
            free_first[row] = free_second[column] = False
            found.append((int(row), int(column), float(near[row, column])))
    return found


def sameness(first: Sequence[Floats], second: Sequence[Floats]) -> float:
    """How much of the boxes (n, 6) of all pictures is the same, 0..1: twice what is paired, by what there is."""
    total = sum(len(rows) for rows in (*first, *second))
    if not total:
        return 1.0
    return 2 * sum(near for pair in zip(first, second) for _, _, near in paired(*pair)) / total


def common(first: Sequence[Floats], second: Sequence[Floats]) -> float:
    """Which part of the boxes (n, 6) of all pictures is in both, 0..1. A pair counts whole from nearness 0.5 on."""
    total = sum(len(rows) for rows in (*first, *second))
    if not total:
        return 1.0
    return 2 * sum(near >= 0.5 for pair in zip(first, second) for _, _, near in paired(*pair)) / total
