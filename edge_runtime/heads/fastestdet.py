"""FastestDet: one grid, no anchors. The network activates its scores, but not its boxes."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = "one map [B, 5 + C, h, w]: objectness, raw x, y, w, h (tanh, tanh, sigmoid, sigmoid), classes (FastestDet)"
DEFAULTS = {"resize": "stretch", "color": "bgr"}

# score = objectness^0.6 * class^0.4, as the author of FastestDet has it
OBJECTNESS_POWER, CLASS_POWER = 0.6, 0.4


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there is a single map at stride 16. A single map at stride 32 belongs to YOLOv2."""
    return views.fits(_read, io, num_classes) and _read(views.shapes(io), views.probe(io)).stride == 16


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io)).channels - 5


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    m = _read(views.shapes(io), spec)
    width, height = spec.input_wh
    level = Level(m.grid_wh, m.view(1), m.view(5), m.view(0), m.stride_xy, ((float(width), float(height)),))
    return DecodeSpec(
        "anchor_tanh", (level,), m.channels - 5, class_power=CLASS_POWER, objectness_power=OBJECTNESS_POWER
    )


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: centre = (tanh(t) + cell) * stride, size = sigmoid(t) * input; score = objectness^0.6 * class^0.4.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    m = _read([output.shape for output in outputs], spec)
    t = m.rows(outputs)[0]
    centre = (m.cell_xy() + np.tanh(t[:, 1:3])) * np.float32(m.stride)
    boxes = views.corners(centre, views.sigmoid(t[:, 3:5]) * np.array(spec.input_wh, np.float32))
    return boxes, t[:, 0:1] ** np.float32(OBJECTNESS_POWER) * t[:, 5:] ** np.float32(CLASS_POWER)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> views.Map:
    found = views.maps(seen, spec)
    if len(found) != 1 or len(seen[0]) != 3 or found[0].channels < 6:
        raise views.misfit(seen, spec, SUMMARY)
    views.agree(found[0].channels - 5, spec)
    return found[0]
