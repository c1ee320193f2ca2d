"""UltraFace exported without its post-processing. Its finished boxes are read by `ssd`."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats, _faces, _priors
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = (
    "softmaxed scores [B, N, 1 + C] and deltas [B, N, 4] of N priors on strides 8 to 64 (UltraFace without"
    " post-processing)"
)
DEFAULTS = {
    "resize": "stretch",
    "color": "rgb",
    "mean": (127.0, 127.0, 127.0),
    "std": (128.0, 128.0, 128.0),
}
LAYOUTS = (("softmax",),)

STRIDES = (8, 16, 32, 64)
SIDES = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))  # of the priors of each level, pixels


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are two outputs with a row for each prior. `ssd`, which reads finished ones, is asked before."""
    return views.fits(_read, io, num_classes)


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io)).columns - 1


def names(io: ModelIO) -> Tuple[str, ...]:
    return _faces.FACE


def odd(outputs: Sequence[Floats], spec: ModelSpec) -> str:
    return _read([output.shape for output in outputs], spec).odd(outputs, spec)


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    return _read(views.shapes(io), spec).described(spec)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: centre = prior + 0.1 * t * prior size, size = prior * exp(0.2 * t).

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    return _read([output.shape for output in outputs], spec).decoded(outputs, spec)


def priors(spec: ModelSpec) -> Floats:
    """Returns the priors, (n, 4) `[cx, cy, w, h]` in model pixels. No side is longer than that of the input."""
    sides = [views.grid(spec.input_wh, stride) for stride in STRIDES]
    sizes = [[(float(side), float(side)) for side in level] for level in SIDES]
    tiled = _priors.tile(sizes, sides, spec.input_wh)
    limits: Floats = np.minimum(tiled, np.array(spec.input_wh * 2, np.float32))
    return limits


def _read(seen: Sequence[Shape], spec: ModelSpec) -> _faces.Deltas:
    pair = _priors.flat_pair(seen)
    if pair is None or pair[3] < 2 or min(spec.input_wh) < 1 or pair[2] != _faces.count(SIDES, STRIDES, spec):
        raise views.misfit(seen, spec, SUMMARY)
    boxes, scores, _, columns = pair
    views.agree(columns - 1, spec)
    return _faces.Deltas(boxes, scores, columns, priors(spec))
