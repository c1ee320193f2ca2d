"""SCRFD, the face detector of InsightFace: distances from the first corner of a cell, two anchors per cell.

Its files have three or five levels of scores, boxes and, mostly, landmarks.
"""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats, _faces
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = (
    "per level activated scores [B, 2 * n, C], distances [B, 2 * n, 4] and landmarks [B, 2 * n, 10], n cells, or maps"
    " of as many channels; five levels have one anchor (SCRFD)"
)
PRIORITY = 2  # asked before nanodet, which reads pairs of each level too
DEFAULTS = {
    "resize": "letterbox_topleft",
    "pad_value": 0,
    "color": "rgb",
    "mean": (127.5, 127.5, 127.5),
    "std": (128.0, 128.0, 128.0),
}
LAYOUTS = (("sigmoid",),)

KINDS = (((8, 16, 32), 2), ((8, 16, 32, 64, 128), 1))  # strides, anchors per cell
CELL_OFFSET = 0.0  # distances are measured from the first corner of a cell
Pair = Tuple[views.Map, views.Map]


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether every level has scores and boxes of its anchors, and perhaps landmarks."""
    return views.fits(_read, io, num_classes)


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io))[2]


def names(io: ModelIO) -> Tuple[str, ...]:
    return _faces.FACE


def left_out(io: ModelIO) -> str:
    rows = any(shape[-1] == _faces.POINTS for shape in views.shapes(io) if len(shape) == 2)
    maps = any(shape[0] in (_faces.POINTS, 2 * _faces.POINTS) for shape in views.shapes(io) if len(shape) == 3)
    return _faces.LANDMARKS if rows or maps else ""


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    pairs, per_cell, count = _read(views.shapes(io), spec)
    anchors = ((1.0, 1.0),) * per_cell
    levels = tuple(
        Level(box.grid_wh, box.view(0, 4), score.view(0, count), stride=box.stride_xy, anchors=anchors)
        for box, score in pairs
    )
    activation = "sigmoid" if "sigmoid" in spec.head_layout else "none"
    return DecodeSpec("distance", levels, count, class_activation=activation, cell_offset=CELL_OFFSET)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: the first corner of the cell minus and plus the distances to the four sides, * stride.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    pairs, per_cell, count = _read([output.shape for output in outputs], spec)
    boxes: List[Floats] = []
    scores: List[Floats] = []
    for box, score in pairs:
        corner = np.tile(box.cell_xy(), (per_cell, 1))
        distance = box.rows(outputs, per_cell).reshape(-1, 4)
        boxes.append(views.around(corner, distance) * np.float32(box.stride))
        scores.append(score.rows(outputs, per_cell).reshape(-1, count))
    found = np.concatenate(scores)
    return np.concatenate(boxes), views.sigmoid(found) if "sigmoid" in spec.head_layout else found


def _read(seen: Sequence[Shape], spec: ModelSpec) -> Tuple[List[Pair], int, int]:
    """Returns (boxes, scores) of each level, anchors per cell, and classes."""
    for strides, per_cell in KINDS:
        levels = _faces.by_level(seen, spec, spec.strides or strides, per_cell)
        pairs = [_pair(level, per_cell) for level in levels or ()]
        counts = {score.channels // per_cell for _, score in filter(None, pairs)}
        if None not in pairs and len(counts) == 1:
            return [pair for pair in pairs if pair], per_cell, views.agree(counts.pop(), spec)
    raise views.misfit(seen, spec, SUMMARY)


def _pair(level: Sequence[views.Map], per_cell: int) -> Optional[Pair]:
    boxes = [m for m in level if m.channels == 4 * per_cell]
    scores = [m for m in level if m.channels not in (4 * per_cell, _faces.POINTS * per_cell)]
    points = len(level) - len(boxes) - len(scores)
    alike = {m.layout for m in level}
    if len(boxes) != 1 or len(scores) != 1 or points > 1 or len(alike) != 1 or scores[0].channels % per_cell:
        return None
    return boxes[0], scores[0]
