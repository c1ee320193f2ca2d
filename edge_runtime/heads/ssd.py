"""SSD: boxes relative to priors, or finished boxes, and scores that start with a background class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats, _faces, _priors, ultraface_raw
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = (
    "[B, N, 4] boxes and [B, N, 1 + C] scores; N tells the layout: torchvision's SSDLite (dx dy dw dh, softmax logits),"
    " the TensorFlow API's (dy dx dh dw, sigmoid logits) or UltraFace (corners in 0..1, softmaxed scores)"
)
DEFAULTS = {
    "resize": "stretch",
    "color": "rgb",
    "mean": (127.5, 127.5, 127.5),
    "std": (127.5, 127.5, 127.5),
}

STRIDES = (16, 32, 64, 128, 256, 512)
SCALES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)
VARIANCE = (0.1, 0.2)
MAX_EXPONENT = math.log(1000 / 16)  # torchvision's limit on dw and dh


@dataclass(frozen=True)
class SsdLayout:
    """Which outputs to read, and how. Priors are (n, 4) `[cx, cy, w, h]` float32, None for finished boxes."""

    kind: str
    boxes: int
    scores: int
    columns: int
    count: int
    priors: Optional[Floats]


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are two outputs whose N is the number of priors of one of the three layouts at this input size."""
    return views.fits(_read, io, num_classes)


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io)).columns - 1


def names(io: ModelIO) -> Tuple[str, ...]:
    return _faces.FACE if _read(views.shapes(io), views.probe(io)).kind == "xyxy" else ()


def odd(outputs: Sequence[Floats], spec: ModelSpec) -> str:
    found = _read([output.shape for output in outputs], spec)
    if found.kind != "xyxy" or _faces.near_priors(
        outputs[found.boxes].reshape(-1, 4), ultraface_raw.priors(spec), spec
    ):
        return ""
    return "its boxes would lie far from their places"


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found = _read(views.shapes(io), spec)
    level = Level((found.count, 1), View(found.boxes, 0, 0, 4, 1), View(found.scores, 0, 0, found.columns, 1))
    count, width, height = found.columns - 1, float(spec.input_wh[0]), float(spec.input_wh[1])
    if found.priors is None:
        return DecodeSpec("xyxy", (level,), count, first_class=1, box_scale=(width, height))
    torchvision = found.kind == "prior"
    return DecodeSpec(
        found.kind,
        (level,),
        count,
        class_activation="softmax" if torchvision else "sigmoid",
        first_class=1,
        priors=found.priors,
        variance=VARIANCE,
        max_exponent=MAX_EXPONENT if torchvision else math.inf,
    )


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: centre = prior + 0.1 * t * prior size, size = prior * exp(0.2 * t).

    Finished boxes are only scaled to pixels.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    found = _read([output.shape for output in outputs], spec)
    t, scores = outputs[found.boxes].reshape(-1, 4), outputs[found.scores].reshape(found.count, -1)
    if found.priors is None:
        return t * np.array(spec.input_wh * 2, np.float32), scores[:, 1:]
    if found.kind == "prior":
        return _priors.decode(t, found.priors, VARIANCE, MAX_EXPONENT), views.softmax(scores)[:, 1:]
    return _priors.decode(t[:, [1, 0, 3, 2]], found.priors, VARIANCE), views.sigmoid(scores[:, 1:])


def _read(seen: Sequence[Shape], spec: ModelSpec) -> SsdLayout:
    pair = _priors.flat_pair(seen)
    if pair is None or pair[3] < 2 or min(spec.input_wh) < 1:
        raise views.misfit(seen, spec, SUMMARY)
    boxes, scores, count, columns = pair
    views.agree(columns - 1, spec)
    sides = [views.grid(spec.input_wh, stride) for stride in spec.strides or STRIDES]
    for kind, sizes in (("prior", spec.anchors or _torchvision_sizes(spec)), ("prior_yx", _tensorflow_sizes(spec))):
        if count == sum(w * h * len(level) for (w, h), level in zip(sides, sizes)):
            return SsdLayout(kind, boxes, scores, columns, count, _priors.tile(sizes, sides, spec.input_wh))
    if count == _faces.count(ultraface_raw.SIDES, ultraface_raw.STRIDES, spec):
        return SsdLayout("xyxy", boxes, scores, columns, count, None)
    raise views.misfit(seen, spec, SUMMARY)


def _torchvision_sizes(spec: ModelSpec) -> Sequence[_priors.Sizes]:
    """Returns six sizes per cell. Sides are fractions of the input, at most 1 (torchvision DefaultBoxGenerator)."""
    width, height = spec.input_wh
    levels = []
    for scale, after in zip(SCALES, SCALES[1:]):
        between = math.sqrt(scale * after)
        sides = [(scale, scale), (between, between)]
        for ratio in (math.sqrt(2), math.sqrt(3)):
            sides += [(scale * ratio, scale / ratio), (scale / ratio, scale * ratio)]
        levels.append([(min(w, 1.0) * width, min(h, 1.0) * height) for w, h in sides])
    return levels


def _tensorflow_sizes(spec: ModelSpec) -> Sequence[_priors.Sizes]:
    """Returns three sizes per cell on the finest level, six on the others.

    They are those of the TensorFlow Object Detection API, ssd_anchor_generator.
    """
    shorter = min(spec.input_wh)
    levels = [[(0.1, 1.0), (SCALES[0], 2.0), (SCALES[0], 0.5)]]
    for scale, after in zip(SCALES[1:], SCALES[2:]):
        levels.append([*((scale, ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 0.3333)), (math.sqrt(scale * after), 1.0)])
    return [[(s * math.sqrt(r) * shorter, s / math.sqrt(r) * shorter) for s, r in level] for level in levels]
