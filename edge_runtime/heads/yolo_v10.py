"""YOLOv10 and other end-to-end exports: finished boxes, best first. They need no NMS."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.labels import COCO
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = "[B, N, 6] rows x1, y1, x2, y2, score, class in model pixels (YOLOv10, end-to-end exports, DeepStream-Yolo)"
QUERIES = 1000  # so many rows at most are suppressed already; DeepStream-Yolo leaves one for each cell
DEFAULTS = {"resize": "letterbox", "color": "rgb"}
LAYOUTS = (("fraction",),)
UNTRIED = ("extra",)


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are six columns. Rows of a grid may also be YOLOv5 or YOLOX of one class, which come before."""
    return views.fits(_read, io, num_classes)


def doubt(io: ModelIO, spec: ModelSpec) -> str:
    return "finished boxes do not show how many classes there are" if spec.labels == COCO else ""


def classes(io: ModelIO) -> int:
    return len(COCO)  # the outputs do not say it, see `doubt`


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    count, columns = _read(views.shapes(io), spec)
    box, score, class_id = (View(0, first, 0, columns, 1) for first in (0, 4, 5))
    level = Level((count, 1), box, score, class_id=class_id)
    return DecodeSpec("xyxy", (level,), len(spec.labels), box_scale=spec.box_scale, nms=count > QUERIES)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Returns the rows as they are, each with a score for its own class. NMS is applied only to more than 1000 rows.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    _read([output.shape for output in outputs], spec)
    rows = outputs[0]
    scores = rows[:, 4:5] * (np.rint(rows[:, 5:6]) == np.arange(len(spec.labels)))
    return rows[:, :4] * views.per_corner(spec), scores.astype(np.float32)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> Tuple[int, int]:
    """Returns the number of rows and of columns: six, and with `extra` more."""
    if len(seen) != 1 or len(seen[0]) != 2 or seen[0][0] < 1:
        raise views.misfit(seen, spec, SUMMARY)
    count, columns = seen[0]
    fits = columns > 6 and count <= QUERIES if "extra" in spec.head_layout else columns == 6
    if not fits:
        raise views.misfit(seen, spec, SUMMARY)
    return count, columns
