"""Wrong ways from boxes in pixels of the input to boxes in pixels of the picture, and wrong orders of their numbers."""

from __future__ import annotations

from typing import Callable, Dict, Tuple

import numpy as np

from edge_runtime.audit.likeness import Floats
from edge_runtime.audit.preparations import Placement

# boxes (n, 6) in pixels of the input, where the picture lies, (width, height) of the input -> boxes as written
Change = Callable[[Floats, Placement, Tuple[int, int]], Floats]


def _scaled(rows: Floats, x: float, y: float) -> Floats:
    moved = rows.copy()
    moved[:, :4] *= np.array([x, y] * 2, np.float32)
    return moved


def _as_size(rows: Floats, placed: Placement, _: Tuple[int, int]) -> Floats:
    moved = placed.back(rows)
    moved[:, 2:4] -= moved[:, :2]
    return moved


def _as_centre(rows: Floats, placed: Placement, _: Tuple[int, int]) -> Floats:
    moved = placed.back(rows)
    sides = moved[:, 2:4] - moved[:, :2]
    moved[:, :2] += sides / 2
    moved[:, 2:4] = sides
    return moved


def _as_corner(rows: Floats, placed: Placement, _: Tuple[int, int]) -> Floats:
    moved = placed.back(rows)
    moved[:, :4] += np.tile((moved[:, 2:4] - moved[:, :2]) / 2, 2)
    return moved


def _turned(rows: Floats, placed: Placement, _: Tuple[int, int]) -> Floats:
    return placed.back(rows)[:, [1, 0, 3, 2, 4, 5]]


def _whole(rows: Floats, placed: Placement, _: Tuple[int, int]) -> Floats:
    moved = placed.back(rows)
    moved[:, :4] = np.trunc(moved[:, :4])
    return moved


def _square(rows: Floats, placed: Placement, model_wh: Tuple[int, int]) -> Floats:
    """Undoes a letterbox at the top left, which leaves the padding of a centred one in."""
    scale = min(model_wh[0] / placed.image_wh[0], model_wh[1] / placed.image_wh[1])
    return _scaled(rows, 1 / scale, 1 / scale)


def _centred(rows: Floats, placed: Placement, model_wh: Tuple[int, int]) -> Floats:
    scale = min(model_wh[0] / placed.image_wh[0], model_wh[1] / placed.image_wh[1])
    pad = tuple((model - scale * side) / 2 for model, side in zip(model_wh, placed.image_wh))
    return Placement((scale, scale), pad, placed.image_wh).back(rows)  # type: ignore[arg-type]


PLACES: Dict[str, Change] = {
    "boxes in pixels of the input, not scaled back to the picture": lambda rows, placed, _: rows,
    "boxes scaled back as if the picture were stretched": lambda rows, placed, wh: _scaled(
        rows, placed.image_wh[0] / wh[0], placed.image_wh[1] / wh[1]
    ),
    "boxes scaled back without their padding taken off": lambda rows, placed, _: _scaled(
        rows, 1 / placed.scale[0], 1 / placed.scale[1]
    ),
    "boxes scaled back as if the picture lay at the top left": _square,
    "boxes scaled back as if the picture lay in the middle": _centred,
    "boxes of 0..1 of the input": lambda rows, placed, wh: _scaled(rows, 1 / wh[0], 1 / wh[1]),
    "boxes of 0..1 of the picture": lambda rows, placed, _: _scaled(
        placed.back(rows), 1 / placed.image_wh[0], 1 / placed.image_wh[1]
    ),
    "boxes as corner and size where corners are meant": _as_size,
    "boxes as centre and size where corners are meant": _as_centre,
    "centres where first corners are meant": _as_corner,
    "x and y in each other's place": _turned,
    "corners cut to whole pixels": _whole,
}
