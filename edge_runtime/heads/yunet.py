"""YuNet, the face detector of OpenCV's zoo (2023): cell offsets and log sizes, class and objectness apart.

The older files (2022), with priors and three outputs, are not read.
"""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats, _faces
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = "per level activated cls [B, n, C], obj [B, n, 1], bbox [B, n, 4] and kps [B, n, 10], n cells (YuNet of 2023)"
PRIORITY = 2  # no other family has an objectness of its own on each level
DEFAULTS = {
    "resize": "letterbox_topleft",
    "pad_value": 0,
    "color": "bgr",
    "mean": (0.0, 0.0, 0.0),
    "std": (1.0, 1.0, 1.0),
}


class Parts(NamedTuple):
    """The outputs of one level."""

    box: views.Map
    score: views.Map
    objectness: views.Map


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether each of the three levels has a box, an objectness and a score in each cell, and perhaps landmarks."""
    return views.fits(_read, io, num_classes)


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io))[0].score.channels


def names(io: ModelIO) -> Tuple[str, ...]:
    return _faces.FACE


def left_out(io: ModelIO) -> str:
    return _faces.LANDMARKS if len(io.outputs) > 3 * len(views.P3_TO_P5) else ""


def odd(outputs: Sequence[Floats], spec: ModelSpec) -> str:
    ones = [outputs[part.objectness.tensor] for part in _read([output.shape for output in outputs], spec)]
    low, high = min(one.min() for one in ones), max(one.max() for one in ones)
    return f"its objectness would be {low:.3g} to {high:.3g}" if low < -1 or high > 2 else ""


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found = _read(views.shapes(io), spec)
    levels = tuple(
        Level(box.grid_wh, box.view(0), score.view(0), one.view(0), box.stride_xy, anchors=(box.stride_xy,))
        for box, score, one in found
    )
    return DecodeSpec("anchor_exp", levels, found[0].score.channels, class_power=0.5, objectness_power=0.5)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: centre = (t + cell) * stride, size = exp(t) * stride; score = sqrt(class * objectness).

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    boxes: List[Floats] = []
    scores: List[Floats] = []
    for box, score, one in _read([output.shape for output in outputs], spec):
        t, stride = box.rows(outputs)[0], np.float32(box.stride)
        boxes.append(views.corners((t[:, :2] + box.cell_xy()) * stride, np.exp(t[:, 2:]) * stride))
        scores.append(np.sqrt(np.maximum(score.rows(outputs)[0], 0)) * np.sqrt(np.maximum(one.rows(outputs)[0], 0)))
    return np.concatenate(boxes), np.concatenate(scores)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> List[Parts]:
    levels = _faces.by_level(seen, spec, spec.strides or views.P3_TO_P5, 1)
    found = [_parts(level) for level in levels or ()]
    if not found or None in found or len({parts.score.channels for parts in found if parts}) != 1:
        raise views.misfit(seen, spec, SUMMARY)
    parts = [each for each in found if each]
    views.agree(parts[0].score.channels, spec)
    return parts


def _parts(level: Sequence[views.Map]) -> Optional[Parts]:
    """With one class, class and objectness have the same shape. The score is the same whichever is taken for which."""
    boxes = [m for m in level if m.channels == 4]
    scores = [m for m in level if m.channels not in (4, _faces.POINTS)]
    points = len(level) - len(boxes) - len(scores)
    if len(boxes) != 1 or len(scores) != 2 or points > 1 or scores[0].channels != 1:
        return None
    score, objectness = scores if scores[1].channels == 1 else scores[::-1]
    return Parts(boxes[0], score, objectness)
