"""YOLOv2's region layer: one grid, five anchors, softmax over the classes of each."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.heads import _anchors as anchors
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = "one map [B, A * (5 + C), h, w] or [B, h, w, A * (5 + C)], raw (YOLOv2 and Tiny YOLOv2, Darknet region)"
DEFAULTS = {"resize": "letterbox", "color": "rgb", "pad_value": 128}

# anchors of Tiny YOLOv2 for VOC (yolov2-tiny-voc.cfg), in grid cells
VOC_CELLS = ((1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52))


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there is one map at stride 32 with five anchors. A single map at stride 16 belongs to FastestDet."""
    return views.fits(_read, io, num_classes) and views.maps(views.shapes(io), views.probe(io))[0].stride == 32


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io)).classes


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found = _read(views.shapes(io), spec)
    return DecodeSpec("anchor_exp", found.levels(), found.classes, "sigmoid", "softmax", "sigmoid")


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: centre = (sigmoid(t) + cell) * stride, size = anchor * exp(t).

    The score is sigmoid(objectness) * softmax(classes).

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    found = _read([output.shape for output in outputs], spec)
    ((m, t, anchor, _),) = found.rows(outputs)
    centre = (views.sigmoid(t[..., :2]) + m.cell_xy()) * np.float32(m.stride)
    boxes = views.corners(centre, np.exp(t[..., 2:4]) * anchor)
    scores = views.sigmoid(t[..., 4:5]) * views.softmax(t[..., 5:])
    return boxes, scores.reshape(-1, found.classes)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> anchors.Grids:
    found = views.maps(seen, spec)
    if len(found) != 1 or len(seen[0]) != 3:
        raise views.misfit(seen, spec, SUMMARY)
    stride = found[0].stride
    voc = tuple((w * stride, h * stride) for w, h in VOC_CELLS)
    return anchors.grids(found, spec, {1: (voc,)}, 1.0)
