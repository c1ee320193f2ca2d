"""YOLOv5-face: rows of YOLOv5 with five landmarks before the classes."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple, Union

import numpy as np

from edge_runtime.heads import Floats, _faces
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = (
    "decoded [B, N, 15 + C], or one raw map [B, 3, h, w, 15 + C] or [B, 3 * (15 + C), h, w] per level: box,"
    " objectness, landmarks, classes (YOLOv5-face)"
)
DEFAULTS = {"resize": "letterbox", "color": "rgb"}
LAYOUTS = (("fraction",),)

BEFORE = 5 + _faces.POINTS  # values before the classes
ANCHORS = (
    ((4.0, 5.0), (8.0, 10.0), (13.0, 16.0)),
    ((23.0, 29.0), (43.0, 55.0), (73.0, 105.0)),
    ((146.0, 217.0), (231.0, 300.0), (335.0, 433.0)),
)
Grids = List[Tuple[views.Map, Tuple[Tuple[float, float], ...]]]


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are such rows, three per cell, or maps. If the number of classes is not known, it must be one.

    YOLOv5 of eleven classes has the same shapes and is asked before. The landmarks of rows are no scores, so the values
    tell; those of maps may be.
    """
    if not views.fits(_read, io, num_classes) or (num_classes is None and classes(io) > 1):
        return False
    seen = views.shapes(io)
    return len(seen) > 1 or (seen[0][0] % 3 == 0 and bool(views.pyramid(seen[0][0] // 3, views.probe(io))))


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io))[1]


def names(io: ModelIO) -> Tuple[str, ...]:
    return _faces.FACE


def left_out(io: ModelIO) -> str:
    return _faces.LANDMARKS


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found, count = _read(views.shapes(io), spec)
    k = BEFORE + count
    if isinstance(found, int):
        box, objectness, score = (View(0, first, 0, k, 1) for first in (0, 4, BEFORE))
        return DecodeSpec("cxcywh", (Level((found, 1), box, score, objectness),), count, box_scale=spec.box_scale)
    levels = tuple(
        Level(m.grid_wh, m.view(0, k), m.view(BEFORE, k), m.view(4, k), m.stride_xy, anchors, scale_xy=2.0)
        for m, anchors in found
    )
    return DecodeSpec("anchor_square", levels, count, "sigmoid", "sigmoid", "sigmoid")


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes raw maps: centre = (2 * sigmoid(t) - 0.5 + cell) * stride, size = anchor * (2 * sigmoid(t))^2.

    Their score is sigmoid(objectness) * sigmoid(class). Decoded boxes are only turned into corners.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    found, count = _read([output.shape for output in outputs], spec)
    if isinstance(found, int):
        t = outputs[0]
        return views.corners(t[:, :2], t[:, 2:4]) * views.per_corner(spec), t[:, 4:5] * t[:, BEFORE:]
    boxes: List[Floats] = []
    scores: List[Floats] = []
    for m, anchors in found:
        t = views.sigmoid(m.rows(outputs, len(anchors)))
        centre = (2 * t[..., :2] - np.float32(0.5) + m.cell_xy()) * np.float32(m.stride)
        boxes.append(views.corners(centre, (2 * t[..., 2:4]) ** 2 * np.array(anchors, np.float32)[:, None]))
        scores.append((t[..., 4:5] * t[..., BEFORE:]).reshape(-1, count))
    return np.concatenate(boxes), np.concatenate(scores)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> Tuple[Union[int, Grids], int]:
    """Returns the number of rows, or the maps with their anchors; and the number of classes."""
    if len(seen) == 1 and len(seen[0]) == 2 and BEFORE < seen[0][1] < seen[0][0]:
        return seen[0][0], views.agree(seen[0][1] - BEFORE, spec)
    found, anchors = views.maps(seen, spec), spec.anchors or ANCHORS
    threes = len(found) == len(anchors) and all(len(level) == len(anchors[0]) for level in anchors)
    if not threes or not views.one_per_level(found) or any(len(shape) < 3 for shape in seen):
        raise views.misfit(seen, spec, SUMMARY)
    count, rest = divmod(found[0].channels, len(anchors[0]))
    if rest or count <= BEFORE:
        raise views.misfit(seen, spec, SUMMARY)
    return list(zip(found, anchors)), views.agree(count - BEFORE, spec)
