"""RetinaFace in PyTorch, also in its Slim and RFB forms of 1 MB: deltas to square priors, scores with background."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

from edge_runtime.heads import Floats, _faces
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = (
    "deltas [B, N, 4], softmaxed scores [B, N, 1 + C] and landmarks [B, N, 10] of N priors on strides 8 to 32 or 8 to"
    " 64 (RetinaFace, Slim and RFB with landmarks)"
)
DEFAULTS = {
    "resize": "letterbox",
    "color": "bgr",
    "mean": (104.0, 117.0, 123.0),
    "std": (1.0, 1.0, 1.0),
}
LAYOUTS = (("softmax",),)

USUAL = ((16, 32), (64, 128), (256, 512)), (8, 16, 32)  # sides of the priors of each level in pixels, and the strides
SMALL = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256)), (8, 16, 32, 64)


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there is a row for each prior. Without landmarks, the priors of Slim and RFB are those of UltraFace."""
    return views.fits(_read, io, num_classes)


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io)).columns - 1


def names(io: ModelIO) -> Tuple[str, ...]:
    return _faces.FACE


def left_out(io: ModelIO) -> str:
    return _faces.LANDMARKS if len(io.outputs) > 2 else ""


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


def _read(seen: Sequence[Shape], spec: ModelSpec) -> _faces.Deltas:
    found = _faces.flat(seen)
    points = found.pop(_faces.POINTS, None) if len(found) == 3 else None
    scores = [columns for columns in found if columns != 4]
    if len(found) != 2 or len(scores) != 1 or scores[0] < 2 or min(spec.input_wh) < 1:
        raise views.misfit(seen, spec, SUMMARY)
    rows = seen[found[4]][0]
    for sizes, strides in (USUAL, SMALL) if points is not None else (USUAL,):
        if rows == _faces.count(sizes, strides, spec):
            views.agree(scores[0] - 1, spec)
            return _faces.Deltas(found[4], found[scores[0]], scores[0], _faces.stepped(sizes, strides, spec))
    raise views.misfit(seen, spec, SUMMARY)
