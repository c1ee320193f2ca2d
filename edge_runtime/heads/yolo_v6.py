"""YOLOv6 and Gold-YOLO, and YOLOX exported with its decoding: rows decoded by the network, one per cell."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

from edge_runtime.heads import Floats
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = "decoded [B, N, 5 + C], one row per cell of strides 8, 16, 32 (YOLOv6, Gold-YOLO, decoded YOLOX)"
PRIORITY = 1  # after yolox, whose rows have the same shape and are not decoded; only values tell them apart
DEFAULTS = {"resize": "letterbox", "color": "rgb"}
LAYOUTS = (("fraction",),)


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there is one row per cell. Three rows per cell belong to YOLOv5."""
    return views.fits(_read, io, num_classes)


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io))[1]


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    count, found = _read(views.shapes(io), spec)
    box, objectness, score = (View(0, first, 0, 5 + found, 1) for first in (0, 4, 5))
    return DecodeSpec("cxcywh", (Level((count, 1), box, score, objectness),), found, box_scale=spec.box_scale)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Turns centre and size into corners; score = objectness * class (YOLOv6's objectness is always 1).

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    t = outputs[0]
    return views.corners(t[:, :2], t[:, 2:4]) * views.per_corner(spec), t[:, 4:5] * t[:, 5:]


def _read(seen: Sequence[Shape], spec: ModelSpec) -> Tuple[int, int]:
    """Returns the number of rows and of classes."""
    found = views.stacked(seen, spec)
    if not found or tuple(m.stride for m in found) != views.P3_TO_P5 or not 5 < seen[0][1] < seen[0][0]:
        raise views.misfit(seen, spec, SUMMARY)
    return seen[0][0], views.agree(seen[0][1] - 5, spec)
