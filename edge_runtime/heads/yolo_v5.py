"""YOLOv5 and v7: boxes that the network itself decodes (also some converted Darknet models), or raw heads."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple, Union

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.heads import _anchors as anchors
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = "decoded [B, N, 5 + C], or one raw map [B, A, h, w, 5 + C] or [B, A * (5 + C), h, w] per level (YOLOv5, v7)"
PRIORITY = 1  # asked before yolo_v10: decoded rows of one class have six columns too
DEFAULTS = {"resize": "letterbox", "color": "rgb"}
LAYOUTS = (("fraction",),)
UNTRIED = ("extra",)


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are raw heads with an anchor axis, or decoded rows, three per cell (YOLOX has one per cell)."""
    seen = views.shapes(io)
    if not views.fits(_read, io, num_classes):
        return False
    return len(seen[0]) == 4 or (seen[0][0] % 3 == 0 and bool(views.pyramid(seen[0][0] // 3, views.probe(io))))


def doubt(io: ModelIO, spec: ModelSpec) -> str:
    if spec.anchors or isinstance(_read(views.shapes(io), spec), int):
        return ""
    face = "; for YOLOv5-face say --family yolo_v5_face" if len(spec.labels) == 11 else ""
    return f"the file does not say its anchors: those of YOLOv5 are taken, for YOLOv7's say --anchors yolov7{face}"


def classes(io: ModelIO) -> int:
    found = _read(views.shapes(io), views.probe(io))
    return found if isinstance(found, int) else found.classes


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    seen = views.shapes(io)
    found = _read(seen, spec)
    if not isinstance(found, int):
        return DecodeSpec("anchor_square", found.levels(), found.classes, "sigmoid", "sigmoid", "sigmoid")
    count, k = seen[0]
    box, objectness, score = (View(0, first, 0, k, 1) for first in (0, 4, 5))
    return DecodeSpec("cxcywh", (Level((count, 1), box, score, objectness),), found, box_scale=spec.box_scale)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes raw heads: centre = (2 * sigmoid(t) - 0.5 + cell) * stride, size = anchor * (2 * sigmoid(t))^2.

    Their score is sigmoid(objectness) * sigmoid(class). Decoded boxes are only turned into corners.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    found = _read([output.shape for output in outputs], spec)
    if isinstance(found, int):
        t = outputs[0]
        return views.corners(t[:, :2], t[:, 2:4]) * views.per_corner(spec), t[:, 4:5] * t[:, 5 : 5 + found]
    boxes: List[Floats] = []
    scores: List[Floats] = []
    for m, t, anchor, k in found.rows(outputs):
        t = views.sigmoid(t)
        centre = np.float32(k) * t[..., :2] - np.float32((k - 1) / 2) + m.cell_xy()
        boxes.append(views.corners(centre * np.float32(m.stride), (2 * t[..., 2:4]) ** 2 * anchor))
        scores.append((t[..., 4:5] * t[..., 5:]).reshape(-1, found.classes))
    return np.concatenate(boxes), np.concatenate(scores)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> Union[int, anchors.Grids]:
    """Returns the number of classes if the boxes are decoded, the grids if they are raw."""
    if len(seen) == 1 and len(seen[0]) == 2 and 5 < seen[0][1] < seen[0][0]:
        return views.named(seen[0][1] - 5, spec)
    found = views.maps(seen, spec) if "extra" not in spec.head_layout else []
    if not views.one_per_level(found) or any(len(shape) < 3 for shape in seen):
        raise views.misfit(seen, spec, SUMMARY)
    return anchors.grids(found, spec, anchors.BY_LEVELS, 2.0)
