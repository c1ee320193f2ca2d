"""Yolo-FastestV2: three anchors per cell that share one set of classes. The network activates all values."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = "one map [B, h, w, 12 + 3 + C] per level: 3 boxes, 3 objectness, shared classes, activated (Yolo-FastestV2)"
PRIORITY = -1  # asked after yolo_v3, whose channels-last maps can have this shape
DEFAULTS = {"resize": "stretch", "color": "bgr"}

# anchors for COCO, in pixels of a 352 x 352 input
ANCHORS = (
    ((12.64, 19.39), (37.88, 51.48), (55.71, 138.31)),
    ((126.91, 78.23), (131.57, 214.55), (279.92, 258.87)),
)


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are two maps, channels last."""
    seen = views.shapes(io)
    return views.fits(_read, io, num_classes) and views.maps(seen, views.probe(io))[0].layout == "last"


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io))[1]


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found, count = _read(views.shapes(io), spec)
    levels = tuple(
        Level(m.grid_wh, m.view(0, 4), m.view(15), m.view(12, 1), m.stride_xy, anchors, scale_xy=2.0)
        for m, anchors in zip(found, spec.anchors or ANCHORS)
    )
    return DecodeSpec("anchor_square", levels, count)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: centre = (2 * t - 0.5 + cell) * stride, size = anchor * (2 * t)^2; score = objectness * class.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    found, _ = _read([output.shape for output in outputs], spec)
    boxes: List[Floats] = []
    scores: List[Floats] = []
    for m, anchors in zip(found, spec.anchors or ANCHORS):
        t = m.rows(outputs)[0]
        for a, anchor in enumerate(anchors):
            box = t[:, 4 * a : 4 * a + 4]
            centre = (2 * box[:, :2] - np.float32(0.5) + m.cell_xy()) * np.float32(m.stride)
            boxes.append(views.corners(centre, (2 * box[:, 2:]) ** 2 * np.array(anchor, np.float32)))
            scores.append(t[:, 12 + a : 13 + a] * t[:, 15:])
    return np.concatenate(boxes), np.concatenate(scores)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> Tuple[List[views.Map], int]:
    found = views.maps(seen, spec) if all(len(shape) == 3 for shape in seen) else []
    anchors = spec.anchors or ANCHORS
    threes = len(anchors) == len(found) and all(len(level) == 3 for level in anchors)
    if not threes or not views.one_per_level(found) or found[0].channels < 16:
        raise views.misfit(seen, spec, SUMMARY)
    return found, views.agree(found[0].channels - 15, spec)
