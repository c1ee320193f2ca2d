"""Compares what two detectors find."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, List

import numpy as np
from numpy.typing import NDArray

from edge_runtime.types import Detections

DETECTED = 0.02  # least confidence of the boxes that are asked for
COUNTED = 0.1  # both must find a box of this confidence: rounding moves others across the threshold


@dataclass(frozen=True)
class Limits:
    """How much rounding may change.

    Attributes:
        iou: least overlap of a box with its partner.
        score: largest difference of their confidences.
        share: share of all boxes that may have no partner.
    """

    iou: float
    score: float
    share: float = 0.0


@dataclass
class Agreement:
    """Result of a comparison, over all pictures.

    Attributes:
        boxes: number of boxes of the reference that count.
        alone: number of boxes of one detector that the other does not have.
        least_iou, largest_score: least overlap and largest difference of confidence in a pair.
    """

    boxes: int = 0
    alone: int = 0
    least_iou: float = 1.0
    largest_score: float = 0.0

    def add(self, reference: Detections, found: Detections, limits: Limits) -> None:
        """One picture."""
        self.boxes += int((reference.confidence >= COUNTED).sum())
        for one, other in ((reference, found), (found, reference)):
            for row in np.flatnonzero(one.confidence >= COUNTED):
                self._pair(one, int(row), other, limits)

    def _pair(self, one: Detections, row: int, other: Detections, limits: Limits) -> None:
        near = _iou(one.xyxy[row], other.xyxy) * (other.class_id == one.class_id[row])
        gaps = np.abs(other.confidence - one.confidence[row])
        fits = np.flatnonzero((near >= limits.iou) & (gaps <= limits.score))
        if not len(fits):
            self.alone += 1
            return
        best = fits[np.argmax(near[fits])]
        self.least_iou = min(self.least_iou, float(near[best]))
        self.largest_score = max(self.largest_score, float(gaps[best]))

    def within(self, limits: Limits) -> bool:
        """Whether both detectors find the same boxes, within the limits."""
        return self.alone <= limits.share * 2 * self.boxes

    def figures(self, limits: Limits) -> Dict[str, Any]:
        """Plain data for the proof."""
        return {
            "boxes": self.boxes,
            "alone": self.alone,
            "least_iou": round(self.least_iou, 4),
            "largest_score_difference": round(self.largest_score, 4),
            "limits": asdict(limits),
        }


def compare_boxes(reference: List[Detections], found: List[Detections], limits: Limits) -> Agreement:
    """Compares the boxes of each picture."""
    agreement = Agreement()
    for one, other in zip(reference, found):
        agreement.add(one, other, limits)
    return agreement


def _iou(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    corner, end = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    inside = np.prod(np.clip(end - corner, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2]) - inside
    overlap: NDArray[np.float32] = inside / np.maximum(areas, 1e-9)
    return overlap
