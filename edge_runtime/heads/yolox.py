"""YOLOX: the rows of all levels in one tensor, no anchors. Scores are activated, boxes are relative to their cells."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = "[B, N, 5 + C], one row per cell of strides 8, 16, 32: cell offsets, log sizes, scores activated (YOLOX)"
PRIORITY = 2  # asked before yolo_v8, whose transposed rows can have this shape
DEFAULTS = {
    "resize": "letterbox_topleft",
    "color": "bgr",
    "mean": (0.0, 0.0, 0.0),
    "std": (1.0, 1.0, 1.0),
}


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there is one row per cell. Three rows per cell belong to YOLOv5."""
    return views.fits(_read, io, num_classes)


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io))[0].channels - 5


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found = _read(views.shapes(io), spec)
    levels = tuple(
        Level(m.grid_wh, m.view(0), m.view(5), m.view(4), m.stride_xy, anchors=(m.stride_xy,)) for m in found
    )
    return DecodeSpec("anchor_exp", levels, found[0].channels - 5)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: centre = (t + cell) * stride, size = exp(t) * stride; score = objectness * class.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    t = outputs[0]
    boxes: List[Floats] = []
    for m in _read([t.shape], spec):
        (part,) = m.rows(outputs)
        stride = np.float32(m.stride)
        boxes.append(views.corners((part[:, :2] + m.cell_xy()) * stride, np.exp(part[:, 2:4]) * stride))
    return np.concatenate(boxes), t[:, 4:5] * t[:, 5:]


def _read(seen: Sequence[Shape], spec: ModelSpec) -> List[views.Map]:
    found = views.stacked(seen, spec)
    levels = tuple(m.stride for m in found) == (spec.strides or views.P3_TO_P5)
    if not levels or not 5 < seen[0][1] < seen[0][0]:
        raise views.misfit(seen, spec, SUMMARY)
    views.agree(seen[0][1] - 5, spec)
    return found
