"""Lists of objects: boxes, scores and class numbers in outputs of their own or in the columns of one table.

EfficientNMS, YOLO-NAS, RT-DETR, D-FINE and DEIM, mmdeploy, torchvision and the TensorFlow detection API give outputs of
their own; YOLOv7 (`--end2end`), PaddleDetection and Caffe's DetectionOutput give a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats, _finished_names
from edge_runtime.heads import _views as views
from edge_runtime.heads._finished_names import Words
from edge_runtime.model import outputs as model_outputs
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.labels import COCO
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = (
    "finished objects: boxes [B, N, 4], scores [B, N] and class numbers [B, N] in any order, perhaps with their count;"
    " boxes with scores [B, N, 5] and class numbers; or a table [B, N, 6] or, with a picture number, [B, N, 7]"
)
PRIORITY = -2  # after the plain table of yolo_v10
DEFAULTS: Mapping[str, Any] = {"resize": "letterbox", "color": "rgb"}
UNUSED = -1  # picture number of rows without an object
QUERIES = 1000  # so many at most are suppressed already
PARTS = tuple(
    tuple(filter(None, words)) for words in product(("", "class_first"), ("", "fraction"), ("", "cxcywh", "yxyx"))
)
TABLES = tuple(tuple(filter(None, words)) for words in product(("", "box_last"), ("class_first", ""), ("", "fraction")))


@dataclass(frozen=True)
class Columns:
    """Where a list has its parts: (number of the output, first column)."""

    box: Tuple[int, int]
    score: Tuple[int, int]
    class_id: Tuple[int, int]
    picture: Optional[Tuple[int, int]] = None


def select(io: ModelIO, layout: Words) -> Tuple[int, ...]:
    """Returns the numbers of the outputs: a table and its count, or boxes, scores, class numbers and their count.

    Their types and names tell which is which. Without both, scores come first; `class_first` says otherwise.
    """
    return _finished_names.select(io, layout)


def layouts(io: ModelIO) -> Tuple[Words, ...]:
    """Returns the layouts to try, the usual one first."""
    if len(io.outputs) < 3 and views.shapes(io)[0][-1:] in ((6,), (7,)):
        return (*TABLES, *((*words, "from_one") for words in TABLES))
    usual = _finished_names.usual_layout(io)
    others = [words for words in PARTS if words != usual]
    return (usual, *others, *((*words, "from_one") for words in (usual, *others)))


def defaults(io: ModelIO) -> Dict[str, Any]:
    """Returns the preprocessing of the exporter that gives outputs and inputs these names."""
    return {**DEFAULTS, **_finished_names.preprocessing(io)}


def doubt(io: ModelIO, spec: ModelSpec) -> str:
    """Says how the objects are read, what the names of outputs alone say, and what nothing says."""
    words = ",".join(spec.head_layout)
    parts = [f"the outputs are read as finished objects{', --head-layout ' * bool(words)}{words}"]
    if "yxyx" in spec.head_layout and _finished_names.usual_layout(io) == spec.head_layout:
        parts.append("their names say that y comes before x, for the other order say --head-layout fraction")
    if spec.labels == COCO:
        parts.append("finished objects do not show how many classes there are")
    return "; ".join(parts)


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether the outputs that `select` found are a list."""
    return views.fits(_read, io, num_classes)


def classes(io: ModelIO) -> int:
    return _finished_names.classes(io)  # the outputs do not say it


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    seen = views.shapes(io)
    columns, rows = _read(seen, spec), _finished_names.flat(seen[0])[0]
    widths = [prod(shape) // rows for shape in seen]

    def view(place: Tuple[int, int]) -> View:
        return View(place[0], place[1], 0, widths[place[0]], 1)

    counted = columns.class_id[0] + 1
    count = View(counted, 0, 0, 0, 0) if len(seen) > counted else None
    level = Level((rows, 1), view(columns.box), view(columns.score), class_id=view(columns.class_id), count=count)
    ends = bool(model_outputs.lists(io)) or rows <= QUERIES
    return DecodeSpec(
        _kind(spec),
        (level,),
        len(spec.labels),
        first_class=int("from_one" in spec.head_layout),
        box_scale=spec.box_scale,
        nms=not ends,
    )


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Returns the objects as they are, each with a score for its own class.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    columns = _read([output.shape for output in outputs], spec)
    rows = _finished_names.flat(outputs[0].shape)[0]
    tables = [output.reshape(rows, -1) for output in outputs[: columns.class_id[0] + 1]]
    box, first = columns.box
    t = tables[box][:, first : first + 4]
    score, number = (tables[k][:, column : column + 1] for k, column in (columns.score, columns.class_id))
    scores = score * (np.rint(number) - ("from_one" in spec.head_layout) == np.arange(len(spec.labels)))
    for count in outputs[len(tables) :]:
        scores[~(np.arange(rows) < count.reshape(-1)[0])] = 0
    if _kind(spec) == "cxcywh":
        t = views.corners(t[:, :2], t[:, 2:])
    elif _kind(spec) == "yxyx":
        t = t[:, [1, 0, 3, 2]]
    return t * views.per_corner(spec), scores.astype(np.float32)


def odd(outputs: Sequence[Floats], spec: ModelSpec) -> str:
    """Returns what is impossible in the numbers of pictures that a table (n, 7) has; an empty text if nothing is."""
    columns = _read([output.shape for output in outputs], spec)
    if columns.picture is None:
        return ""
    pictures = outputs[0].reshape(-1, 7)[:, columns.picture[1]]
    others = pictures[(pictures != 0) & (pictures != UNUSED)]
    return f"an object would belong to picture number {others[0]:.3g}, and there is one" if len(others) else ""


def _kind(spec: ModelSpec) -> str:
    return next((word for word in ("cxcywh", "yxyx") if word in spec.head_layout), "xyxy")


def _read(seen: Sequence[Shape], spec: ModelSpec) -> Columns:
    shapes = [_finished_names.flat(shape) for shape in seen]
    rows, width = (*shapes[0], 0, 0)[:2] if shapes else (0, 0)
    wide = [shape[1:] or (1,) for shape in shapes if shape and shape[0] == rows]
    class_first = "class_first" in spec.head_layout
    if rows < 1 or len(shapes) > 4 or any(len(shape) > 2 for shape in shapes):
        raise views.misfit(seen, spec, SUMMARY)
    if wide[:3] == [(4,), (1,), (1,)]:
        return Columns((0, 0), (1, 0), (2, 0))
    if wide[:2] == [(5,), (1,)]:
        return Columns((0, 0), (0, 4), (1, 0))
    if width not in (6, 7) or len(shapes) > 2:
        raise views.misfit(seen, spec, SUMMARY)
    first = width - 6
    box, pair = (first + 2, first) if "box_last" in spec.head_layout else (first, first + 4)
    picture = (0, 0) if width == 7 else None
    return Columns((0, box), (0, pair + class_first), (0, pair + (not class_first)), picture)
