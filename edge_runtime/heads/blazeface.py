"""BlazeFace of MediaPipe: offsets in pixels from the middle of a cell, one or two outputs for boxes and for scores."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats, _faces
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = (
    "regressors [B, 896, 16] and classificators [B, 896, C] not activated, in one or two parts each; 2304 rows of the"
    " full range (BlazeFace)"
)
DEFAULTS = {
    "resize": "letterbox",
    "pad_value": 0,
    "color": "rgb",
    "mean": (127.5, 127.5, 127.5),
    "std": (127.5, 127.5, 127.5),
}

VALUES = 16  # of a row: x, y, width, height, and six landmarks
KINDS = (((8, 2), (16, 6)), ((16, 2), (32, 6)), ((4, 1),))  # (stride, rows per cell) of front, back and full range


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are rows of 16 values for each cell, and as many rows of scores."""
    return views.fits(_read, io, num_classes)


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io))[3]


def names(io: ModelIO) -> Tuple[str, ...]:
    return _faces.FACE


def left_out(io: ModelIO) -> str:
    return _faces.LANDMARKS


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    seen = views.shapes(io)
    boxes, scores, middle, count = _read(seen, spec)
    levels, first = [], 0
    for box, score in zip(boxes, scores):
        rows = seen[box][0]
        levels.append(Level((rows, 1), View(box, 0, 0, VALUES, 1), View(score, 0, 0, count, 1), prior=first))
        first += rows
    priors = np.concatenate([middle, np.ones_like(middle)], axis=1)
    return DecodeSpec("prior_offset", tuple(levels), count, class_activation="sigmoid", priors=priors)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: centre = middle of the cell + t, size = t, all in pixels; score = sigmoid(t).

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    boxes, scores, middle, _ = _read([output.shape for output in outputs], spec)
    t = np.concatenate([outputs[number] for number in boxes])
    found = np.concatenate([outputs[number] for number in scores])
    return views.corners(middle + t[:, :2], t[:, 2:4]), views.sigmoid(found)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> Tuple[List[int], List[int], Floats, int]:
    """Returns numbers of the box and score outputs, finest level first, (n, 2) middles in pixels, and classes."""
    rows: Dict[int, int] = {}
    scores: Dict[int, int] = {}
    for tensor, shape in enumerate(seen if all(len(shape) == 2 for shape in seen) else ()):
        (rows if shape[1] == VALUES else scores)[shape[0]] = tensor
    columns = {seen[tensor][1] for tensor in scores.values()}
    complete = len(rows) + len(scores) == len(seen) and rows.keys() == scores.keys() and len(columns) == 1
    for kind in KINDS if complete and min(spec.input_wh) > 0 else ():
        levels = [_middles(stride, per_cell, spec) for stride, per_cell in kind]
        counts = [len(level) for level in levels]
        for parts in ([sum(counts)], counts):
            if sorted(rows) == sorted(parts):
                named = views.agree(columns.pop(), spec)
                return [rows[n] for n in parts], [scores[n] for n in parts], np.concatenate(levels), named
    raise views.misfit(seen, spec, SUMMARY)


def _middles(stride: int, per_cell: int, spec: ModelSpec) -> Floats:
    w, h = views.grid(spec.input_wh, stride)
    y, x = np.divmod(np.arange(w * h, dtype=np.float32).repeat(per_cell), np.float32(w))
    middle: Floats = (np.stack([x, y], axis=1) + np.float32(0.5)) * np.float32(stride)
    return middle
