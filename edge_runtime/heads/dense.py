"""Boxes that the network decodes, and a score of each class for each box: two outputs of any order, or one table.

YOLO-NAS and DAMO-YOLO (corners in pixels), SSD of jetson-inference (corners in 0..1, background first), RF-DETR (centre
and size in 0..1, scores not activated), RT-DETR of Ultralytics (one table). A DETR whose last class is "no object" is
not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Optional, Sequence, Tuple

from edge_runtime.heads import Floats, _priors
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = (
    "decoded boxes [B, N, 4] and scores [B, N, C] in any order (YOLO-NAS, DAMO-YOLO, jetson-inference, RF-DETR), or"
    " [B, N, 4 + C] of at most 1000 rows (RT-DETR)"
)
PRIORITY = -1  # after families whose boxes are not decoded
DEFAULTS = {"resize": "letterbox", "color": "rgb"}
LAYOUTS = tuple(
    tuple(filter(None, words))
    for words in product(("", "cxcywh"), ("", "fraction"), ("", "background"), ("", "sigmoid", "softmax"))
)[1:]
QUERIES = 1000  # so many boxes at most come from a network that suppresses doubles itself (DETR)


@dataclass(frozen=True)
class Pair:
    """Numbers of the outputs of boxes and scores, which may be the same, rows, and columns of scores."""

    boxes: int
    scores: int
    count: int
    columns: int

    def view(self, tensor: int, width: int, after: int) -> View:
        """Where boxes or scores lie: in their own tensor of so many columns, or in the table, after so many columns."""
        apart = self.boxes != self.scores
        return View(tensor, 0 if apart else after, 0, width if apart else 4 + self.columns, 1)


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there is a pair of such outputs; with or without a background class."""
    return any(views.fits(_read, io, count) for count in {num_classes, num_classes and num_classes + 1})


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io)).columns


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found = _read(views.shapes(io), spec)
    level = Level((found.count, 1), found.view(found.boxes, 4, 0), found.view(found.scores, found.columns, 4))
    return DecodeSpec(
        "cxcywh" if "cxcywh" in spec.head_layout else "xyxy",
        (level,),
        found.columns - _background(spec),
        class_activation=_activation(spec),
        first_class=_background(spec),
        box_scale=spec.box_scale,
        nms=found.count > QUERIES,
    )


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Scales the boxes to pixels and activates the scores, if the layout says so.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    found = _read([output.shape for output in outputs], spec)
    t, p = outputs[found.boxes].reshape(found.count, -1)[:, :4], outputs[found.scores].reshape(found.count, -1)
    p = p[:, -found.columns :]
    t = views.corners(t[:, :2], t[:, 2:]) if "cxcywh" in spec.head_layout else t
    activate = {"none": lambda x: x, "sigmoid": views.sigmoid, "softmax": views.softmax}[_activation(spec)]
    return t * views.per_corner(spec), activate(p)[:, _background(spec) :]


def _activation(spec: ModelSpec) -> str:
    return next((word for word in ("sigmoid", "softmax") if word in spec.head_layout), "none")


def _background(spec: ModelSpec) -> int:
    return int("background" in spec.head_layout)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> Pair:
    pair = _priors.flat_pair(seen)
    if pair is None and len(seen) == 1 and len(seen[0]) == 2 and seen[0][0] <= QUERIES:
        pair = (0, 0, seen[0][0], seen[0][1] - 4)
    if pair is None or pair[3] <= _background(spec):
        raise views.misfit(seen, spec, SUMMARY)
    views.agree(pair[3] - _background(spec), spec)
    return Pair(*pair)
