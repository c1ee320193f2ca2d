"""Yolo-FastestV2: three anchors per cell that share one set of classes.

Its exporter joins the maps of a level and activates all values, or leaves three maps that are not activated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = (
    "per level one activated map [B, h, w, 12 + 3 + C] or [B, 12 + 3 + C, h, w]: 3 boxes, 3 objectness, shared classes;"
    " or three raw maps [B, 12, h, w], [B, 3, h, w], [B, C, h, w] (Yolo-FastestV2)"
)
PRIORITY = -1  # asked after yolo_v3, whose maps can have this shape
DEFAULTS = {"resize": "stretch", "color": "bgr"}
LAYOUTS = (("softmax",),)

# anchors for COCO, in pixels of a 352 x 352 input
ANCHORS = (
    ((12.64, 19.39), (37.88, 51.48), (55.71, 138.31)),
    ((126.91, 78.23), (131.57, 214.55), (279.92, 258.87)),
)
COCO = 95  # channels of a joined map
MOST = 64  # channels of a joined map that no YOLOv8 has


@dataclass(frozen=True)
class Part:
    """The maps of one level, which may be the same, and the first channel of each quantity in them."""

    box: views.Map
    objectness: views.Map
    score: views.Map
    first: Tuple[int, int, int]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.score.channels - self.first[2]


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are two maps, or six.

    Two planar maps of an unknown number of classes count if they have the channels of 80 classes, or if they cannot be
    those of YOLOv3 or v8.
    """
    if not views.fits(_read, io, num_classes):
        return False
    first = views.maps(views.shapes(io), views.probe(io))[0]
    own = first.channels == COCO or (first.channels <= MOST and first.channels % 3 > 0)
    return len(io.outputs) > 2 or first.layout == "last" or num_classes is not None or own


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io))[0].classes


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found, (gate, rank) = _read(views.shapes(io), spec), _activation(len(io.outputs), spec)
    levels = []
    for part, anchors in zip(found, spec.anchors or ANCHORS):
        box, objectness, score = part.first
        box_view, one = part.box.view(box, 4), part.objectness.view(objectness, 1)
        levels.append(Level(part.box.grid_wh, box_view, part.score.view(score), one, part.box.stride_xy, anchors,
                            scale_xy=2.0))  # fmt: skip
    return DecodeSpec("anchor_square", tuple(levels), found[0].classes, gate, rank, gate)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: centre = (2 * t - 0.5 + cell) * stride, size = anchor * (2 * t)^2; score = objectness * class.

    In raw maps t is sigmoid(t), the objectness too, and the classes are a softmax.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    raw = _activation(len(outputs), spec)[0] == "sigmoid"
    boxes: List[Floats] = []
    scores: List[Floats] = []
    for part, anchors in zip(_read([output.shape for output in outputs], spec), spec.anchors or ANCHORS):
        cell, (first, second, third) = part.box.cell_xy(), part.first
        t, one = part.box.rows(outputs)[0][:, first:][:, :12], part.objectness.rows(outputs)[0][:, second:][:, :3]
        ranks = part.score.rows(outputs)[0][:, third:]
        if raw:
            t, one, ranks = views.sigmoid(t), views.sigmoid(one), views.softmax(ranks)
        for a, anchor in enumerate(anchors):
            box = t[:, 4 * a : 4 * a + 4]
            centre = (2 * box[:, :2] - np.float32(0.5) + cell) * np.float32(part.box.stride)
            boxes.append(views.corners(centre, (2 * box[:, 2:]) ** 2 * np.array(anchor, np.float32)))
            scores.append(one[:, a : a + 1] * ranks)
    return np.concatenate(boxes), np.concatenate(scores)


def _activation(outputs: int, spec: ModelSpec) -> Tuple[str, str]:
    """How boxes and objectness, and how classes are still to be activated."""
    return ("sigmoid", "softmax") if outputs > 2 or "softmax" in spec.head_layout else ("none", "none")


def _read(seen: Sequence[Shape], spec: ModelSpec) -> List[Part]:
    found = views.maps(seen, spec) if all(len(shape) == 3 for shape in seen) else []
    levels = sorted({m.stride for m in found})
    parts = [_part([m for m in found if m.stride == stride]) for stride in levels]
    anchors = spec.anchors or ANCHORS
    threes = len(anchors) == len(levels) and all(len(level) == 3 for level in anchors)
    alike = {(part and part.classes, m.layout) for part in parts for m in found}
    if not threes or len(alike) != 1 or None in parts:
        raise views.misfit(seen, spec, SUMMARY)
    read = [part for part in parts if part]
    views.agree(read[0].classes, spec)
    return read


def _part(level: Sequence[views.Map]) -> Optional[Part]:
    """Of three maps, that of the classes is the one that is left, or that with as many channels as another one."""
    if len(level) == 1:
        return Part(level[0], level[0], level[0], (0, 12, 15)) if level[0].channels > 15 else None
    rest = list(level) if len(level) == 3 else []
    chosen = []
    for channels in (12, 3):
        chosen += [next((m for m in rest if m.channels == channels), None)]
        rest = [m for m in rest if m is not chosen[-1]]
    box, objectness = chosen
    return Part(box, objectness, rest[0], (0, 0, 0)) if box and objectness and rest else None
