"""Average precision as PASCAL VOC defines it (Everingham et al. 2010, the development kit, as py-faster-rcnn reads it).

Detections of one class in one image are taken in the order of their score, best first. Each is compared with the object
that it overlaps most, even if that object is matched already or difficult. At an IoU above the threshold, the detection
is right if the object is still free, wrong if it is matched already, and ignored if it is difficult. Difficult objects
do not count.

In the development kit a box is given by its first and last pixel, so its width is x2 - x1 + 1. Our boxes go from edge
to edge: the overlap is the same, without adding 1.
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
    """Recall and precision of one class after each detection that counts; best score first.

    Attributes:
        recall, precision, score: (m,) float64.
        truths: number of objects that are not difficult.
    """

    recall: Floats
    precision: Floats
    score: Floats
    truths: int

    def eleven_point(self) -> float:
        """Returns voc07_11pt: the mean, over recall 0, 0.1 … 1, of the best precision at that recall or a higher one.

        The recall levels are exact tenths. Other programs often use `np.arange(0, 1.1, 0.1)`, which makes three of
        them a little too large.
        """
        levels = [self.precision[self.recall >= k / 10 - 1e-12].max(initial=0.0) for k in range(11)]
        return float(np.mean(levels))

    def all_point(self) -> float:
        """Returns voc_allpoint: the area under the precision envelope (VOC since 2010)."""
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
    """Computes one curve per class.

    Args:
        detections: per image (n, 6) `[x1, y1, x2, y2, score, class_id]`, image pixels, in any order.
        truths: the labelled objects of the same images.
        iou: the overlap of a match must be larger than this.
        last_pixel: 1 if x2 and y2 are the last pixel of a box, as in the files of the development kit; else 0.
    """
    return [_curve(detections, truths, class_id, iou, last_pixel) for class_id in range(num_classes)]


def mean(values: Sequence[float], found: Sequence[Curve]) -> float:
    """Returns the mean over the classes that have ground truth; 0 if none has."""
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
    """Returns 1 for right, 0 for wrong, -1 for not counted. Marks the object as matched."""
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
    """Returns the IoU (n,) of one box (4,) with boxes (n, 4). `last_pixel` is explained in `curves`."""
    box = box.astype(np.float64)
    side = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]) + last_pixel
    inter = np.prod(np.clip(side, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2] + last_pixel, axis=1) + np.prod(box[2:] - box[:2] + last_pixel)
    iou: Floats = inter / np.maximum(areas - inter, 1e-12)
    return iou
