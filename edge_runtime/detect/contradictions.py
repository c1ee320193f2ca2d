"""Says what is impossible, or very unlikely, in the values of one run if a model is of its family."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np

from edge_runtime import heads
from edge_runtime.detect import extra, operators, oriented
from edge_runtime.detect.understand import Model
from edge_runtime.heads import Floats
from edge_runtime.model.decode import DecodeSpec, Level, View

HIGHEST = 2.0  # scores of INT8 files exceed 1 a little
CLEAR, BEST = 0.05, 20  # rows that are looked at: with a clear score, else the best few
MOST_PLACES = 0.3  # median of the best score of all places
EVEN = 1e-6
CORNERS, TURNED = ("xyxy", "yxyx"), 0.25  # kinds of finished corners; share of all boxes with corners in wrong order
WHOLE = 0.02  # of class numbers, in float16 or INT8 files


def contradiction(model: Model, outputs: Sequence[Floats]) -> Optional[str]:
    """Returns what is impossible or very unlikely if the model is of its family; None if nothing is.

    Args:
        outputs: of one image, in the file's order, any shape without the batch axis.
    """
    head, read = heads.load_head(model.spec.family), [outputs[k] for k in model.read]
    with np.errstate(all="ignore"):
        boxes, scores = head.decode(read, model.spec)
    if not len(scores) or not np.isfinite(scores).all():
        return operators.odd_operators(model, True)  # what the values say is not a question of the family
    best = scores.max(axis=1)
    odd = _odd_scores(model.decode, outputs) if model.decode else None
    odd = odd or (str(head.odd(read, model.spec)) if hasattr(head, "odd") else None)
    if odd:
        return odd
    if scores.max() > HIGHEST or scores.min() < -HIGHEST / 2:
        return f"its scores would be {scores.min():.3g} to {scores.max():.3g}"
    finished = model.decode is not None and model.decode.finished  # a list of objects alone
    probable = bool(scores.min() > -oriented.SLACK and scores.max() < oriented.SCORE)
    odd = (None if finished else _odd_places(best)) or _odd_boxes(model, outputs, boxes, best)
    return odd or operators.odd_operators(model, probable)


def _odd_places(best: Floats) -> Optional[str]:
    """Looks at the best scores of all places of a grid. Most of them hold nothing."""
    if len(best) > 1 and best.max() > CLEAR / 10 and best.max() - best.min() < EVEN:
        return "all places would have the same score"
    if np.median(best) > MOST_PLACES:
        return f"half of all places would hold an object with a score above {np.median(best):.2f}"
    return None


def _odd_scores(decode: DecodeSpec, outputs: Sequence[Floats]) -> Optional[str]:
    """Looks at the class scores as the file has them, or at the class numbers of finished boxes."""
    if decode.finished:
        return _odd_numbers(decode, outputs)
    count = decode.first_class + decode.num_classes
    raw = [_channels(level.score, level, count, outputs) for level in decode.levels]
    low, high = min(part.min() for part in raw), max(part.max() for part in raw)
    if decode.class_activation == "none" and oriented.odd_scores(np.concatenate([p.reshape(-1, count) for p in raw])):
        return oriented.REASON
    if decode.class_activation != "none" and low >= 0 and high <= 1:
        return "its scores would be activated a second time"
    if decode.class_activation == "none" and (high > HIGHEST or low < -HIGHEST / 2):
        return f"its scores would be {low:.3g} to {high:.3g}"
    return None


def _odd_numbers(decode: DecodeSpec, outputs: Sequence[Floats]) -> Optional[str]:
    """Looks at the rows that hold an object. Unused rows hold anything, mostly 0 or -1."""
    (level,) = decode.levels
    assert level.class_id is not None
    scores, numbers = (_channels(view, level, 1, outputs).ravel() for view in (level.score, level.class_id))
    if level.count is not None:
        held = np.arange(len(scores)) < outputs[level.count.tensor].ravel()[0]
        numbers, scores = numbers[held], scores[held]
    if len(scores) and (scores.max() > HIGHEST or scores.min() < -1 - WHOLE):
        return f"its scores would be {scores.min():.3g} to {scores.max():.3g}"
    numbers = numbers[scores > 0]
    with np.errstate(invalid="ignore"):
        apart = np.abs(numbers - np.rint(numbers)).max(initial=0)
    if apart > WHOLE:
        return "its class numbers would be no whole numbers"
    number = np.rint(numbers).max(initial=0) - decode.first_class
    return f"a class would have the number {number:.0f}" if number >= decode.num_classes else None


def _channels(view: View, level: Level, count: int, outputs: Sequence[Floats]) -> Floats:
    """The first values of a view, (anchors, cells, count)."""
    anchors = np.arange(len(level.anchors))[:, None, None] * view.anchor
    cells = np.arange(level.grid_wh[0] * level.grid_wh[1])[:, None] * view.cell
    found: Floats = outputs[view.tensor].ravel()[view.offset + anchors + cells + np.arange(count) * view.channel]
    return found


def _odd_boxes(model: Model, outputs: Sequence[Floats], boxes: Floats, best: Floats) -> Optional[str]:
    count = int((best > CLEAR).sum()) or BEST
    order = np.argsort(-best)[:count]
    rows = boxes[order[best[order] > 0]]
    if not len(rows):
        return None
    limit = np.array(model.spec.input_wh, np.float32)
    with np.errstate(all="ignore"):
        size, centre = rows[:, 2:] - rows[:, :2], (rows[:, 2:] + rows[:, :2]) / 2
        inside = ((centre > -0.5 * limit) & (centre < 1.5 * limit) & (size < 4 * limit)).all(axis=1)
    if np.mean((size > 0).all(axis=1)) < 0.5:
        return "most of its boxes would have no area"
    turned = np.mean((boxes[:, 2:] < boxes[:, :2]).any(axis=1))
    if model.decode is not None and model.decode.kind in CORNERS and turned > TURNED:
        return "many of its boxes would end before they begin"
    if np.mean(inside) < 0.5:
        return "most of its boxes would lie outside the image"
    if np.mean((size < 1).all(axis=1)) > 0.5:
        return "most of its boxes would be smaller than a pixel"
    points = _keypoints(model, outputs)
    return None if points is None else extra.odd_keypoints(points[order], boxes[order], best[order])


def _keypoints(model: Model, outputs: Sequence[Floats]) -> Optional[Floats]:
    """The 17 keypoints after the classes, (n, 51); None if something else follows."""
    if model.decode is None or model.spec.head_layout != extra.LAYOUT:
        return None
    (level,) = model.decode.levels
    first = model.decode.num_classes if level.class_id is None else level.class_id.offset - level.score.offset + 1
    columns = outputs[level.score.tensor].size // level.grid_wh[0] - level.score.offset // level.score.channel
    return _channels(level.score, level, columns, outputs)[0][:, first:] if columns - first == extra.POSE else None
