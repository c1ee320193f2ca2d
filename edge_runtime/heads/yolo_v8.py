"""YOLOv8 and its successors (v9, 11, 12, LeYOLO, the "u" models): boxes decoded by the network, or raw distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple, Union

import numpy as np

from edge_runtime.heads import Floats
from edge_runtime.heads import _views as views
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.spec import ModelIO, ModelSpec, Shape

SUMMARY = (
    "decoded [B, 4 + C, N] or [B, N, 4 + C], or per level raw [B, 4 * bins + C, h, w],"
    " or [B, 4 * bins, h, w] and [B, C, h, w], for RKNN activated and [B, 1, h, w] beside (YOLOv8, v9, 11, LeYOLO)"
)
PRIORITY = 1  # asked before yolo_v3, see `match`
DEFAULTS = {"resize": "letterbox", "color": "rgb"}
LAYOUTS = (("fraction",),)
UNTRIED = ("extra",)

BOX_CHANNELS = 64  # 4 sides of 16 bins, if the number of classes is not known


@dataclass(frozen=True)
class Decoded:
    """One tensor of finished boxes."""

    count: int
    classes: int
    channels: int
    planar: bool


@dataclass(frozen=True)
class Raw:
    """Raw heads: (box map, class map, first class channel) per level, and how the classes are activated."""

    levels: Sequence[Tuple[views.Map, views.Map, int]]
    classes: int
    bins: int
    activation: str = "sigmoid"


def match(io: ModelIO, num_classes: Optional[int]) -> bool:
    """Whether there are decoded rows, or raw planar maps.

    Raw maps could also be YOLOv3's if their number of channels is a multiple of 3 (three anchors). If the number of
    classes is not known, they count as v8 only with the channels of 80 or 20 classes.
    """
    if not views.fits(_read, io, num_classes):
        return False
    seen = views.shapes(io)
    found = views.maps(seen, views.probe(io))
    if len(seen[0]) == 2:
        return True
    joined = {m.channels for m in found} if num_classes is None and views.one_per_level(found) else set()
    fastest = len(found) == 2 and 95 in joined  # Yolo-FastestV2 of 80 classes
    doubtful = fastest or any(channels % 3 == 0 and channels not in (84, 144) for channels in joined)
    return len(found) > 1 and found[0].layout == "planar" and not doubtful


def classes(io: ModelIO) -> int:
    return _read(views.shapes(io), views.probe(io)).classes


def describe(io: ModelIO, spec: ModelSpec) -> DecodeSpec:
    found = _read(views.shapes(io), spec)
    if isinstance(found, Decoded):
        cell, channel = (1, found.count) if found.planar else (found.channels, 1)
        box, score = (View(0, first * channel, 0, cell, channel) for first in (0, 4))
        return DecodeSpec("cxcywh", (Level((found.count, 1), box, score),), found.classes, box_scale=spec.box_scale)
    levels = tuple(
        Level(box.grid_wh, box.view(0), score.view(first), stride=box.stride_xy) for box, score, first in found.levels
    )
    return DecodeSpec("distance", levels, found.classes, class_activation=found.activation, bins=found.bins)


def decode(outputs: Sequence[Floats], spec: ModelSpec) -> Tuple[Floats, Floats]:
    """Decodes raw heads: the middle of the cell minus and plus the expected distances to the four sides, * stride.

    Their score is sigmoid(class). Decoded boxes are only turned into corners.

    Returns:
        Boxes (n, 4) `[x1, y1, x2, y2]` in model pixels and scores (n, classes), both float32.
    """
    found = _read([output.shape for output in outputs], spec)
    if isinstance(found, Decoded):
        rows = outputs[0].T if found.planar else outputs[0]
        return views.corners(rows[:, :2], rows[:, 2:4]) * views.per_corner(spec), rows[:, 4 : 4 + found.classes]
    boxes: List[Floats] = []
    scores: List[Floats] = []
    for box, score, first in found.levels:
        distance = views.expected_distance(box.rows(outputs)[0, :, : 4 * found.bins], found.bins)
        boxes.append(views.around(box.cell_xy() + np.float32(0.5), distance) * np.float32(box.stride))
        raw = score.rows(outputs)[0, :, first:]
        scores.append(views.sigmoid(raw) if found.activation == "sigmoid" else raw)
    return np.concatenate(boxes), np.concatenate(scores)


def _read(seen: Sequence[Shape], spec: ModelSpec) -> Union[Decoded, Raw]:
    if len(seen) == 1 and len(seen[0]) == 2:
        return _decoded(seen, spec)
    plain = "extra" not in spec.head_layout and all(len(shape) == 3 for shape in seen)
    found = views.maps(seen, spec) if plain else []
    if found and views.one_per_level(found):
        count = len(spec.labels) or found[0].channels - BOX_CHANNELS
        of_box = found[0].channels - count
        raw = Raw([(m, m, of_box) for m in found], count, of_box // 4)
    else:
        kept = _without_sums(found)
        pairs = views.pair_per_level(kept, BOX_CHANNELS, len(spec.labels))
        if not pairs:
            raise views.misfit(seen, spec, SUMMARY)
        of_box, count = (m.channels for m in pairs[0])
        activation = "sigmoid" if len(kept) == len(found) else "none"
        raw = Raw([(box, score, 0) for box, score in pairs], views.agree(count, spec), of_box // 4, activation)
    if count < 1 or of_box < 4 or of_box % 4:
        raise views.misfit(seen, spec, SUMMARY)
    return raw


def _without_sums(found: Sequence[views.Map]) -> List[views.Map]:
    """Leaves out the third map of each level in files for Rockchip's NPU: the sum of the scores, which are activated.

    It has one channel and comes after the scores.
    """
    levels = [[m for m in found if m.stride == stride] for stride in sorted({m.stride for m in found})]
    if any(len(level) != 3 or all(m.channels != 1 for m in level) for level in levels):
        return list(found)
    sums = [[m for m in level if m.channels == 1][-1] for level in levels]
    return [m for m in found if m not in sums]


def _decoded(seen: Sequence[Shape], spec: ModelSpec) -> Decoded:
    """Finds the axis of the boxes: the one that has one entry per cell. Channels after the classes may be `extra`."""
    first, second = seen[0]
    planar = bool(views.pyramid(second, spec))
    channels, count = (first, second) if planar else (second, first)
    if channels < 5 or not (planar or views.pyramid(count, spec)):
        raise views.misfit(seen, spec, SUMMARY)
    return Decoded(count, views.named(channels - 4, spec), channels, planar)
