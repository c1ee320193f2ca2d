"""The decoder of csrc/ in numpy: executes any DecodeSpec, float32 like the native one, whole arrays at a time."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.thresholds import Thresholds

Floats = NDArray[np.float32]
MAX_CANDIDATES = 30_000
HIGHEST = 2.0  # a score above 1 and not above this becomes 1


def decode(
    spec: DecodeSpec, tensors: Sequence[Floats], frame: Sequence[float], limits: Thresholds, mask: NDArray[np.uint8]
) -> Floats:
    """What `ops.Decoder` writes for one image: (n, 6) `[x1, y1, x2, y2, score, class_id]`.

    Args:
        spec: the description.
        tensors: the outputs of one image, in order.
        frame: scale_x, scale_y, pad_x, pad_y, image_width, image_height.
        limits: thresholds.
        mask: (num_classes,), 0 = not reported.
    """
    with np.errstate(all="ignore"):
        scores = np.concatenate([level_scores(spec, level, tensors, limits, mask) for level in spec.levels])
        boxes = np.concatenate([level_boxes(spec, level, tensors) for level in spec.levels])
        passing = np.flatnonzero(scores > np.float32(limits.conf))
        best = passing[np.argsort(-scores.ravel()[passing], kind="stable")][:MAX_CANDIDATES]
        box, class_id, score = boxes[best // spec.num_classes], best % spec.num_classes, scores.ravel()[best]
        finite = np.isfinite(box).all(axis=1)
        box, class_id, score = box[finite], class_id[finite], score[finite]
        kept = nms(box, class_id, limits.iou, limits.max_det) if spec.nms else slice(limits.max_det)
        score = np.where((score > 1) & (score <= HIGHEST), np.float32(1), score)
        rows = np.concatenate(
            [undo(box[kept], frame), score[kept, None], class_id[kept, None]], axis=1, dtype=np.float32
        )
        return rows[(rows[:, 2] > rows[:, 0]) & (rows[:, 3] > rows[:, 1])]


def read(view: View, level: Level, tensors: Sequence[Floats], channels: int) -> Floats:
    """(anchors, cells, channels) of one view."""
    anchor, cell, channel = np.ogrid[: len(level.anchors), : level.grid_wh[0] * level.grid_wh[1], :channels]
    return tensors[view.tensor].ravel()[view.offset + anchor * view.anchor + cell * view.cell + channel * view.channel]


def sigmoid(x: Floats) -> Floats:
    return np.float32(1) / (np.float32(1) + np.exp(-x))


def activate(name: str, x: Floats) -> Floats:
    return {"none": lambda: x, "sigmoid": lambda: sigmoid(x), "softmax": lambda: softmax(x)}[name]()


def softmax(x: Floats) -> Floats:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def level_scores(
    spec: DecodeSpec, level: Level, tensors: Sequence[Floats], limits: Thresholds, mask: NDArray[np.uint8]
) -> Floats:
    """(boxes, classes) scores in walk order; NaN where a class is not to be reported."""
    raw, probability = class_values(spec, level, tensors)
    score = probability ** np.float32(spec.class_power)
    if level.objectness is not None:
        objectness = activate(spec.objectness_activation, read(level.objectness, level, tensors, 1))
        objectness = objectness ** np.float32(spec.objectness_power)
        score = np.where(objectness > np.float32(limits.conf), score * objectness, np.nan)
    if level.count is not None:
        cells = np.arange(raw.shape[1])[:, None]
        raw = np.where(cells < tensors[level.count.tensor].reshape(-1)[level.count.offset], raw, np.float32(np.nan))
    allowed = (mask != 0) & ~np.isnan(raw)
    if not limits.per_box_classes:
        best = np.where(allowed, raw, -np.inf).argmax(axis=-1)
        allowed = allowed & (np.arange(spec.num_classes) == best[..., None])
    return np.where(allowed & np.isfinite(score), score, np.nan).astype(np.float32).reshape(-1, spec.num_classes)


def class_values(spec: DecodeSpec, level: Level, tensors: Sequence[Floats]) -> Tuple[Floats, Floats]:
    """(anchors, cells, classes) raw values and probabilities."""
    if level.class_id is not None:
        number = np.rint(read(level.class_id, level, tensors, 1)) - spec.first_class
        raw = np.where(number == np.arange(spec.num_classes), read(level.score, level, tensors, 1), np.float32(np.nan))
        return raw, activate(spec.class_activation, raw)
    raw = read(level.score, level, tensors, spec.first_class + spec.num_classes + spec.last_classes)
    reported = slice(spec.first_class, spec.first_class + spec.num_classes)
    return raw[..., reported], activate(spec.class_activation, raw)[..., reported]


def level_boxes(spec: DecodeSpec, level: Level, tensors: Sequence[Floats]) -> Floats:
    """(boxes, 4) corners in model pixels in walk order."""
    t = read(level.box, level, tensors, 4 * spec.bins if spec.kind == "distance" else 4)
    cell = np.arange(t.shape[1])
    grid = np.stack([cell % level.grid_wh[0], cell // level.grid_wh[0]], axis=-1).astype(np.float32)
    stride, anchors = np.array(level.stride, np.float32), np.array(level.anchors, np.float32)[:, None]
    if spec.kind == "distance":
        corners = distance_corners(spec, t, grid, stride)
    elif spec.kind in ("xyxy", "yxyx"):
        corners = (t if spec.kind == "xyxy" else t[..., [1, 0, 3, 2]]) * np.array(spec.box_scale * 2, np.float32)
    else:
        centre, size = centre_size(spec, level, t, grid, stride, anchors)
        corners = np.concatenate([centre - size / 2, centre + size / 2], axis=-1)
    return corners.astype(np.float32).reshape(-1, 4)


def distance_corners(spec: DecodeSpec, t: Floats, grid: Floats, stride: Floats) -> Floats:
    if spec.bins > 1:
        t = (softmax(t.reshape(*t.shape[:2], 4, spec.bins)) * np.arange(spec.bins, dtype=np.float32)).sum(axis=-1)
    centre = (grid + np.float32(spec.cell_offset)) * stride
    return np.concatenate([centre - t[..., :2] * stride, centre + t[..., 2:] * stride], axis=-1)


def centre_size(
    spec: DecodeSpec, level: Level, t: Floats, grid: Floats, stride: Floats, anchors: Floats
) -> Tuple[Floats, Floats]:
    if spec.kind == "cxcywh":
        scale = np.array(spec.box_scale, np.float32)
        return t[..., :2] * scale, t[..., 2:] * scale
    if spec.kind.startswith("prior"):
        assert spec.priors is not None
        rows = level.prior + np.arange(t.shape[1])[None] * len(level.anchors) + np.arange(len(level.anchors))[:, None]
        prior, (v0, v1) = spec.priors[rows], np.array(spec.variance, np.float32)
        if spec.kind == "prior_offset":
            scale = np.array(spec.box_scale, np.float32)
            return t[..., :2] * scale + prior[..., :2], t[..., 2:] * scale
        t = t[..., [1, 0, 3, 2]] if spec.kind == "prior_yx" else t
        exponent = np.minimum(t[..., 2:] * v1, np.float32(spec.max_exponent))
        return t[..., :2] * v0 * prior[..., 2:] + prior[..., :2], prior[..., 2:] * np.exp(exponent)
    if spec.kind == "anchor_tanh":
        return (np.tanh(t[..., :2]) + grid) * stride, anchors * sigmoid(t[..., 2:])
    k = np.float32(level.scale_xy)
    centre = (k * activate(spec.box_activation, t[..., :2]) - (k - 1) / 2 + grid) * stride
    if spec.kind == "anchor_exp":
        return centre, anchors * np.exp(t[..., 2:])
    return centre, anchors * (2 * activate(spec.box_activation, t[..., 2:])) ** 2


def nms(boxes: Floats, class_id: NDArray[np.int64], iou: float, max_det: int) -> List[int]:
    """Indices of the boxes that greedy NMS keeps; they come best first."""
    area = np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)
    kept: List[int] = []
    for i in range(len(boxes)):
        size = np.minimum(boxes[kept, 2:], boxes[i, 2:]) - np.maximum(boxes[kept, :2], boxes[i, :2])
        inter = np.maximum(size[:, 0], 0) * np.maximum(size[:, 1], 0)
        overlapping = inter > np.float32(iou) * (area[kept] + area[i] - inter)
        if not (overlapping & (class_id[kept] == class_id[i])).any():
            kept.append(i)
        if len(kept) == max_det:
            break
    return kept


def undo(boxes: Floats, frame: Sequence[float]) -> Floats:
    """From model to image pixels, in double, clipped."""
    scale_x, scale_y, pad_x, pad_y, width, height = frame
    image = (boxes.astype(np.float64) - [pad_x, pad_y] * 2) / ([scale_x, scale_y] * 2)
    return np.clip(image, 0, [width, height] * 2).astype(np.float32)
