"""NanoDet and PicoDet: one pair of outputs per level; distances are distributions (Generalized Focal Loss)."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = "[B, n, C] activated scores and [B, n, 4 * bins] distance logits per level, n cells (NanoDet, PicoDet)"
DEFAULTS: Mapping[str, Any] = {
    "resize": "stretch",
    "color": "bgr",
    "mean": (103.53, 116.28, 123.675),
    "std": (57.375, 57.12, 58.395),
}

PICODET: Mapping[str, Any] = {"color": "rgb", **views.IMAGENET}
PICODET_LEVELS = 4  # NanoDet has three

BOX_CHANNELS = 32  # 4 sides of 8 bins, if the number of classes is not known
CELL_OFFSET = 0.5  # distances are measured from the middle of a cell


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are pairs of tensors on two or more levels, with one row per cell."""
    return len(io.outputs) > 2 and views.fits(_read, io, num_classes)


def defaults(io: ModelIO) -> Dict[str, Any]:
    """Returns the preprocessing of PicoDet if there are four levels, else that of NanoDet."""
    return {**DEFAULTS, **(PICODET if len(io.outputs) == 2 * PICODET_LEVELS else {})}


def doubt(io: ModelIO, spec: ModelSpec) -> str:
    """Names the other of the two, unless the user has said how pictures are prepared."""
    taken, other = ("PicoDet", "NanoDet") if spec.color == PICODET["color"] else ("NanoDet", "PicoDet")
    if any(getattr(spec, name) != value for name, value in defaults(io).items()):
        return ""
    return f"NanoDet and PicoDet have the same outputs: taken for {taken}, for {other} say {_flags(other)}"


def _flags(name: str) -> str:
    usual = PICODET if name == "PicoDet" else DEFAULTS
    numbers = (f"--{key} {','.join(f'{value:g}' for value in usual[key])}" for key in ("mean", "std"))
    return f"--color {usual['color']} {' '.join(numbers)}"


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io))[0][1].channels


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    pairs = _read(views.shapes(io), spec)
    levels = tuple(Level(box.grid_wh, box.view(0), score.view(0), stride=box.stride_xy) for box, score in pairs)
    box, score = pairs[0]
    return DecodeSpec("distance", levels, score.channels, bins=box.channels // 4, cell_offset=CELL_OFFSET)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes: the middle of the cell minus and plus the expected distances to the four sides, * stride.

    Scores are used as they are.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    boxes: List[Floats] = []
    scores: List[Floats] = []
    for box, score in _read([output.shape for output in outputs], spec):
        distance = views.expected_distance(outputs[box.tensor], box.channels // 4)
        boxes.append(views.around(box.cell_xy() + np.float32(CELL_OFFSET), distance) * np.float32(box.stride))
        scores.append(outputs[score.tensor])
    return np.concatenate(boxes), np.concatenate(scores)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> List[Tuple[views.Map, views.Map]]:
    """Returns (distances, scores) per level."""
    found = views.maps(seen, spec) if all(len(shape) == 2 for shape in seen) else []
    pairs = views.pair_per_level(found, BOX_CHANNELS, len(spec.labels))
    if not pairs or pairs[0][0].channels % 4:
        raise views.misfit(seen, spec, SUMMARY)
    views.agree(pairs[0][1].channels, spec)
    return pairs
