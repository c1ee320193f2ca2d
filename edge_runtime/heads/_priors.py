"""What the heads with prior boxes share: SSD and EfficientDet."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.heads import _views as views
from edge_runtime.model.spec import Shape

Sizes = Sequence[Tuple[float, float]]


def tile(sizes: Sequence[Sizes], grids: Sequence[Tuple[int, int]], input_wh: Tuple[int, int]) -> Floats:
    """Returns the priors of all levels.

    Args:
        sizes: per level, (width, height) of each anchor in model pixels.
        grids: per level, cells in x and y; the input is divided evenly among them.

    Returns:
        (P, 4) float32 `[cx, cy, w, h]` in model pixels: by level, then by cell, then by anchor.
    """
    levels = []
    for anchors, (w, h) in zip(sizes, grids):
        y, x = np.divmod(np.arange(w * h), w)
        centre = (np.stack([x, y], axis=1) + 0.5) / (w, h) * input_wh
        both = np.broadcast_arrays(centre[:, None], np.array(anchors, np.float64)[None])
        levels.append(np.concatenate(both, axis=2).reshape(-1, 4))
    priors: Floats = np.concatenate(levels).astype(np.float32)
    return priors


def decode(deltas: Floats, priors: Floats, variance: Tuple[float, float], max_exponent: float = np.inf) -> Floats:
    """Turns (N, 4) `dx, dy, dw, dh` and (N, 4) priors into (N, 4) corners in model pixels.

    SSD, Liu et al. 2016, section 2.2.
    """
    centre = deltas[:, :2] * np.float32(variance[0]) * priors[:, 2:] + priors[:, :2]
    exponent = np.minimum(deltas[:, 2:] * np.float32(variance[1]), np.float32(max_exponent))
    return views.corners(centre, np.exp(exponent) * priors[:, 2:])


def flat_pair(seen: Sequence[Shape]) -> Optional[Tuple[int, int, int, int]]:
    """Finds outputs [N, 4] and [N, K] in any order.

    Returns (number of the box output, number of the score output, N, K). None if there is no such pair, or if both have
    four columns.
    """
    flat = [tuple(side for side in shape if side != 1) for shape in seen]
    if len(flat) != 2 or any(len(shape) != 2 for shape in flat) or flat[0][0] != flat[1][0]:
        return None
    columns = [shape[1] for shape in flat]
    if columns.count(4) != 1:
        return None
    boxes = columns.index(4)
    return boxes, 1 - boxes, flat[0][0], columns[1 - boxes]
