"""The raw outputs of YOLOv3's yolo layers; also for Tiny YOLOv3, YOLO Nano and YOLOv4 (`scale_xy`)."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.heads import _anchors as anchors
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = "one raw map [B, A * (5 + C), h, w] or [B, h, w, A * (5 + C)] per level (YOLOv3, Tiny, YOLO Nano, YOLOv4)"
DEFAULTS = {"resize": "letterbox", "color": "rgb"}


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are two or three maps of three anchors. Raw YOLOv5 of the same shape needs `--family yolo_v5`."""
    return views.fits(_read, io, num_classes)


def doubt(io: ModelIO, spec: ModelSpec) -> str:
    others = "yolo_v5 or, of faces, yolo_v5_face" if len(spec.labels) == 11 else "yolo_v5"
    return f"raw maps of YOLOv3 and YOLOv5 have the same shapes: taken for YOLOv3, for the other say --family {others}"


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io)).classes


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found = _read(views.shapes(io), spec)
    return DecodeSpec("anchor_exp", found.levels(), found.classes, "sigmoid", "sigmoid", "sigmoid")


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: centre = (k * sigmoid(t) - (k - 1) / 2 + cell) * stride, size = anchor * exp(t), k = scale_xy.

    The score is sigmoid(objectness) * sigmoid(class).

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    found = _read([output.shape for output in outputs], spec)
    boxes: List[Floats] = []
    scores: List[Floats] = []
    for m, t, anchor, k in found.rows(outputs):
        centre = np.float32(k) * views.sigmoid(t[..., :2]) - np.float32((k - 1) / 2) + m.cell_xy()
        boxes.append(views.corners(centre * np.float32(m.stride), np.exp(t[..., 2:4]) * anchor))
        scores.append((views.sigmoid(t[..., 4:5]) * views.sigmoid(t[..., 5:])).reshape(-1, found.classes))
    return np.concatenate(boxes), np.concatenate(scores)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> anchors.Grids:
    found = views.maps(seen, spec)
    if not views.one_per_level(found) or any(len(shape) != 3 for shape in seen):
        raise views.misfit(seen, spec, SUMMARY)
    return anchors.grids(found, spec, anchors.BY_LEVELS, 1.0)
