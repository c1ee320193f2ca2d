"""YOLOv10 and other end-to-end exports: finished boxes, best first. They need no NMS."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import numpy as np

from edge_runtime.errors import SpecError
from edge_runtime.heads import Floats
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = "[B, N, 6] rows x1, y1, x2, y2, score, class in model pixels, N at most 1000 (YOLOv10, end-to-end exports)"
DEFAULTS = {"resize": "letterbox", "color": "rgb"}


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are six columns and the rows fit no grid. Rows of a grid belong to YOLOv5 or YOLOX of one class."""
    if not views.fits(_read, io, num_classes):
        return False
    count, spec = views.shapes(io)[0][0], views.probe(io)
    return not views.pyramid(count, spec) and not (count % 3 == 0 and views.pyramid(count // 3, spec))


def classes(io: ModelIO) -> int:
    raise SpecError(
        "finished boxes do not show how many classes the model has", hint="name them with --labels coco, voc or a file"
    )


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    count = _read(views.shapes(io), spec)
    level = Level((count, 1), View(0, 0, 0, 6, 1), View(0, 4, 0, 6, 1))
    return DecodeSpec("xyxy", (level,), len(spec.labels) or classes(io), class_channel=1, nms=False)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Returns the rows as they are, each with a score for its own class. NMS must not be applied to them again.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    _read([output.shape for output in outputs], spec)
    rows = outputs[0]
    scores = rows[:, 4:5] * (rows[:, 5:6] == np.arange(len(spec.labels)))
    return rows[:, :4], scores.astype(np.float32)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> int:
    if len(seen) != 1 or len(seen[0]) != 2 or seen[0][1] != 6 or not 0 < seen[0][0] <= 1000:
        raise views.misfit(seen, spec, SUMMARY)
    return seen[0][0]
