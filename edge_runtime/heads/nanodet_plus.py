"""NanoDet-Plus: the rows of all levels in one tensor, activated scores and then distance distributions."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = "[B, N, C + 32], one row per cell of strides 8 to 64: activated scores, distance logits (NanoDet-Plus)"
PRIORITY = 2  # as yolox: the values tell
DEFAULTS = {
    "resize": "stretch",
    "color": "bgr",
    "mean": (103.53, 116.28, 123.675),
    "std": (57.375, 57.12, 58.395),
}

STRIDES = (8, 16, 32, 64)
BINS = 8
CELL_OFFSET = 0.0  # distances are measured from the first corner of a cell


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there is one row per cell of the four levels, with at least one class."""
    return views.fits(_read, io, num_classes)


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io))[0].channels - 4 * BINS


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found = _read(views.shapes(io), spec)
    count = found[0].channels - 4 * BINS
    levels = tuple(Level(m.grid_wh, m.view(count), m.view(0), stride=m.stride_xy) for m in found)
    return DecodeSpec("distance", levels, count, bins=BINS, cell_offset=CELL_OFFSET)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: the corner of the cell minus and plus the expected distances to the four sides, * stride.

    Scores are used as they are.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    boxes: List[Floats] = []
    for m in _read([output.shape for output in outputs], spec):
        (part,) = m.rows(outputs)
        distance = views.expected_distance(part[:, -4 * BINS :], BINS)
        boxes.append(views.around(m.cell_xy() + np.float32(CELL_OFFSET), distance) * np.float32(m.stride))
    return np.concatenate(boxes), outputs[0][:, : -4 * BINS]


def _read(seen: Sequence[Shape], spec: ModelSpec) -> List[views.Map]:
    found = views.stacked(seen, spec)
    levels = tuple(m.stride for m in found) == (spec.strides or STRIDES)
    if not levels or not 4 * BINS < seen[0][1] < seen[0][0]:
        raise views.misfit(seen, spec, SUMMARY)
    views.agree(found[0].channels - 4 * BINS, spec)
    return found
