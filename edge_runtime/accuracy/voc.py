"""Average precision as PASCAL VOC defines it (Everingham et al. 2010, the development kit; py-faster-rcnn's reading).

Per class and image, detections are taken best first. Each looks at the ground truth it overlaps most, matched or not,
difficult or not; it is right above the IoU threshold if that one is still free, wrong if it is taken, and ignored if it
is difficult. Difficult objects count nowhere.

The development kit's boxes name their first and last pixel, so that widths are x2 - x1 + 1. Ours span from edge to
edge, which is the same overlap without the one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.types import Truth

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Recall and precision of one class after each detection that counts, best score first.

    Attributes:
        recall, precision, score: (m,) float64.
        truths: objects that are not difficult.
    """

    recall: Floats
    precision: Floats
    score: Floats
    truths: int

    def eleven_point(self) -> float:
        """voc07_11pt: mean over recall 0, 0.1 … 1 of the best precision at that recall or beyond.

        Recall levels are exact tenths; `np.arange(0, 1.1, 0.1)`, common elsewhere, makes three of them too large.
        """
        levels = [self.precision[self.recall >= k / 10 - 1e-12].max(initial=0.0) for k in range(11)]
        return float(np.mean(levels))

    def all_point(self) -> float:
        """voc_allpoint: the area under the precision envelope (VOC 2010 on)."""
        recall = np.concatenate([[0.0], self.recall])
        envelope = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float(np.sum(np.diff(recall) * envelope))


def curves(
    detections: Sequence[NDArray[np.float32]],
    truths: Sequence[Truth],
    num_classes: int,
    iou: float = 0.5,
    last_pixel: float = 0.0,
) -> List[Curve]:
    """One curve per class.

    Args:
        detections: per image (n, 6) `[x1, y1, x2, y2, score, class_id]`, image pixels, in any order.
        truths: the same images' objects.
        iou: a match overlaps by more than this.
        last_pixel: 1 where x2 and y2 name the last pixel of a box, as in the development kit's files.
    """
    return [_curve(detections, truths, class_id, iou, last_pixel) for class_id in range(num_classes)]


def mean(values: Sequence[float], found: Sequence[Curve]) -> float:
    """Mean over the classes that have ground truth; 0 where none has."""
    counted = [value for value, curve in zip(values, found) if curve.truths]
    return float(np.mean(counted)) if counted else 0.0


def _curve(
    detections: Sequence[NDArray[np.float32]], truths: Sequence[Truth], class_id: int, iou: float, last_pixel: float
) -> Curve:
    objects: Dict[int, Tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]] = {}
    for image, truth in enumerate(truths):
        own = truth.class_id == class_id
        objects[image] = truth.xyxy[own], truth.ignored[own], np.zeros(int(own.sum()), bool)
    total = sum(int((~ignored).sum()) for _, ignored, _ in objects.values())
    found = [(row[4], image, row) for image, rows in enumerate(detections) for row in rows[rows[:, 5] == class_id]]
    found.sort(key=lambda item: -float(item[0]))
    verdicts = [(score, _verdict(row[:4], *objects[image], iou, last_pixel)) for score, image, row in found]
    counted = np.array([(score, verdict) for score, verdict in verdicts if verdict >= 0], np.float64).reshape(-1, 2)
    right = np.cumsum(counted[:, 1])
    precision = right / np.arange(1, len(right) + 1)
    return Curve(right / max(total, 1), precision, counted[:, 0], total)


def _verdict(
    box: NDArray[np.float32],
    boxes: Floats,
    ignored: NDArray[np.bool_],
    taken: NDArray[np.bool_],
    iou: float,
    last_pixel: float,
) -> int:
    """1 right, 0 wrong, -1 not counted; marks the object as taken."""
    if not len(boxes):
        return 0
    overlaps = overlap(box, boxes, last_pixel)
    best = int(overlaps.argmax())
    if overlaps[best] <= iou:
        return 0
    if ignored[best]:
        return -1
    free = not taken[best]
    taken[best] = True
    return int(free)


def overlap(box: NDArray[np.float32], boxes: Floats, last_pixel: float = 0.0) -> Floats:
    """(n,) IoU of one box (4,) with boxes (n, 4); see `curves` for `last_pixel`."""
    box = box.astype(np.float64)
    side = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]) + last_pixel
    inter = np.prod(np.clip(side, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2] + last_pixel, axis=1) + np.prod(box[2:] - box[:2] + last_pixel)
    iou: Floats = inter / np.maximum(areas - inter, 1e-12)
    return iou
