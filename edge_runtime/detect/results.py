"""Refuses results that no detector gives: they show that the outputs are of another family than was said or taken."""

from __future__ import annotations

from typing import Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.detect.understand import Model
from edge_runtime.errors import ModelError
from edge_runtime.model import geometry

SMALL = 8.0  # image pixels; where the best box is smaller, all are looked at
PIXEL = 1.0  # of the model


def checked(rows: NDArray[np.float32], model: Model, image_wh: Tuple[int, int]) -> NDArray[np.float32]:
    """Returns the rows of one image as they are.

    Only the first row is looked at in the usual case, and it has the highest score. The decoder has made 1 of a score
    that exceeds 1 no more than those of INT8 files may, and has left out boxes without area.

    Args:
        rows: (n, 6) `[x1, y1, x2, y2, score, class_id]`, image pixels, best first.
        image_wh: (width, height) of the image.

    Raises:
        ModelError: a score is above 1, or every box is smaller than a pixel of the model.
    """
    if len(rows):
        x1, y1, x2, y2, score, _ = rows[0].tolist()
        if score > 1:
            raise _contradiction(model, f"a score would be {score:.4g}")
        if x2 - x1 < SMALL and y2 - y1 < SMALL and _all_tiny(rows, model, image_wh):
            raise _contradiction(model, "every box would be smaller than a pixel")
    return rows


def _all_tiny(rows: NDArray[np.float32], model: Model, image_wh: Tuple[int, int]) -> bool:
    """Boxes that touch the border of the image do not count, because they are what is left of larger ones."""
    inside = (rows[:, :2] > 0).all(axis=1) & (rows[:, 2:4] < image_wh).all(axis=1)
    placed = geometry.fit(image_wh, model.spec.input_wh, model.spec.resize)
    sides = (rows[:, 2:4] - rows[:, :2])[inside] * (placed.scale_x, placed.scale_y)
    return bool(inside.any() and (sides < PIXEL).all())


def _contradiction(model: Model, what: str) -> ModelError:
    words = f" --head-layout {','.join(model.spec.head_layout)}" if model.spec.head_layout else ""
    fact = f"the outputs of {model.path} contradict the family {model.spec.family}{words}: {what}"
    return ModelError(fact, hint="edge-identify FILE shows which family fits; --family and --head-layout say it")
