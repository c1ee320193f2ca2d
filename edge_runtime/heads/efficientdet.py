"""EfficientDet: nine anchors per cell on strides 8 to 128, deltas without variances, sigmoid classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats, _priors
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = (
    "per level [B, 9 * C, h, w] logits and [B, 36, h, w] boxes (or channels last), or [B, N, C] and [B, N, 4];"
    " boxes dy dx dh dw (EfficientDet)"
)
PRIORITY = 2  # no other family has ten maps on five levels
DEFAULTS = {
    "resize": "letterbox_topleft",
    "color": "rgb",
    "mean": (123.675, 116.28, 103.53),
    "std": (58.395, 57.12, 57.375),
}

STRIDES = (8, 16, 32, 64, 128)
ANCHOR_SCALE = 4.0  # side of an anchor / side of a cell. Lite models have 3: their anchors must be in the spec
OCTAVES = (2.0**0, 2.0 ** (1 / 3), 2.0 ** (2 / 3))
ASPECTS = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))


@dataclass(frozen=True)
class EfficientDetLayout:
    """The layout of the outputs: maps on levels, or one flat pair (boxes, scores)."""

    pairs: Sequence[Tuple[views.Map, views.Map]]
    flat: Optional[Tuple[int, int]]
    sizes: Sequence[_priors.Sizes]
    priors: Floats
    classes: int


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are box maps of 36 channels on five levels, or one row for each anchor of such levels."""
    return views.fits(_read, io, num_classes)


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io)).classes


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found = _read(views.shapes(io), spec)
    levels = _levels(found)
    if found.flat:
        box, score = View(found.flat[0], 0, 0, 4, 1), View(found.flat[1], 0, 0, found.classes, 1)
        levels = (Level((len(found.priors), 1), box, score),)
    return DecodeSpec("prior_yx", levels, found.classes, class_activation="sigmoid", priors=found.priors)


def _levels(found: EfficientDetLayout) -> Tuple[Level, ...]:
    levels: List[Level] = []
    start = 0
    for (box, score), sizes in zip(found.pairs, found.sizes):
        box_view, score_view = box.view(0, 4), score.view(0, found.classes)
        levels.append(Level(box.grid_wh, box_view, score_view, anchors=tuple(sizes), prior=start))
        start += box.cells * len(sizes)
    return tuple(levels)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: centre = anchor + t * anchor size, size = anchor * exp(t); sigmoid scores.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    found = _read([output.shape for output in outputs], spec)
    if found.flat:
        t, scores = (outputs[number] for number in found.flat)
        return _decode(t, found.priors), views.sigmoid(scores)
    boxes: List[Floats] = []
    logits: List[Floats] = []
    start = 0
    for (box, score), sizes in zip(found.pairs, found.sizes):
        end = start + box.cells * len(sizes)
        priors = found.priors[start:end].reshape(box.cells, len(sizes), 4).transpose(1, 0, 2)
        boxes.append(_decode(box.rows(outputs, len(sizes)).reshape(-1, 4), priors.reshape(-1, 4)))
        logits.append(score.rows(outputs, len(sizes)).reshape(-1, found.classes))
        start = end
    return np.concatenate(boxes), views.sigmoid(np.concatenate(logits))


def _decode(t: Floats, priors: Floats) -> Floats:
    return _priors.decode(t[:, [1, 0, 3, 2]], priors, (1.0, 1.0))


def _read(seen: Sequence[Shape], spec: ModelSpec) -> EfficientDetLayout:
    strides = spec.strides or STRIDES
    if min(spec.input_wh) < 1:
        raise views.misfit(seen, spec, SUMMARY)
    grids = [views.grid(spec.input_wh, stride) for stride in strides]
    sizes = spec.anchors or [_sizes(spec.input_wh, grid_wh) for grid_wh in grids]
    priors = _priors.tile(sizes, grids, spec.input_wh)
    flat = _priors.flat_pair(seen)
    if flat and flat[2] == len(priors):
        return EfficientDetLayout((), flat[:2], sizes, priors, views.agree(flat[3], spec))
    per_cell = len(sizes[0])
    found = views.maps(seen, spec) if all(len(shape) == 3 for shape in seen) else []
    pairs = views.pair_per_level(found, 4 * per_cell, per_cell * len(spec.labels))
    right = [box.stride for box, _ in pairs] == list(strides) and pairs[0][0].channels == 4 * per_cell
    if not right or pairs[0][1].channels % per_cell:
        raise views.misfit(seen, spec, SUMMARY)
    return EfficientDetLayout(pairs, None, sizes, priors, views.agree(pairs[0][1].channels // per_cell, spec))


def _sizes(input_wh: Tuple[int, int], grid_wh: Tuple[int, int]) -> _priors.Sizes:
    """Returns (width, height) of the nine anchors, by octave, then by ratio (EfficientDet's reference anchors)."""
    side_x, side_y = (ANCHOR_SCALE * side / cells for side, cells in zip(input_wh, grid_wh))
    return [(side_x * octave * w, side_y * octave * h) for octave in OCTAVES for w, h in ASPECTS]
