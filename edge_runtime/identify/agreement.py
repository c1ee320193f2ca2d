"""Judges a combination without labels: are boxes confident, and do they move with the picture?

A network that gets what it was trained on finds the same objects in a picture and in its mirrored, cut and smaller
copies. With wrong colours, values or proportions it is less sure, and finds other things in each copy. With values that
are far off, boxes are sure but stay where they are.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.identify.candidates import Candidate
from edge_runtime.identify.network import Floats, Image
from edge_runtime.identify.views import View, views
from edge_runtime.model.thresholds import Thresholds

NAME = "agreement"
SAME, STILL = 0.5, 0.1  # IoU of one object in two copies; IoU by which a box fits better if it had not moved
# What is above SURE counts, because doubtful boxes come and go with every change. A little of what is below lets a
# network that is never sure be judged too. tools/identify_all.py measures what these values do.
SURE, REST = 0.4, 0.05
FIRST = 3  # pictures
CHANCE, FAIR = 0.15, 0.4  # parts of the confidence that agree: by chance, and where most of it means something
Weighed = NDArray[np.float64]  # (2,) confidence that agrees, and that does not, per copy


class Agreement:
    """Judges by agreement. See `pooled` for the score."""

    name, settles, time = NAME, 0.5, 1.0  # scores of two families are of different kinds
    thresholds = Thresholds(conf=0.2, iou=0.45, max_det=100, multi_label=False)

    def views(self, picture: int, image: Image) -> List[View]:
        """The copies of a picture that a candidate is run on; of the first pictures, which all see, only one."""
        seen = views(image)
        return seen if picture >= FIRST else [seen[0], seen[-1]]

    def weigh(self, picture: int, candidate: Candidate, seen: Sequence[View], found: Sequence[Floats]) -> Weighed:
        """What one picture says about a candidate.

        Args:
            found: for each view, boxes (n, 6) in its pixels.
        """
        pairs = [compare(found[0], rows, view.back(rows)) for view, rows in zip(seen[1:], found[1:])]
        return np.asarray(np.mean(pairs, axis=0), np.float64)

    def score(self, candidate: Candidate, weighed: Sequence[Weighed]) -> float:
        """The score of a candidate over pictures; 0 if it finds nothing."""
        return float(pooled(np.array(weighed)))

    def resampled(
        self, candidate: Candidate, weighed: Sequence[Weighed], draws: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Scores (samples,) of random samples of the pictures; `draws` (samples, n) are their numbers."""
        return pooled(np.array(weighed)[draws])


def pooled(weighed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores of pictures (n, 2), or of samples (m, n, 2): A * A / (A + U / 2), with A what agrees, U what does not.

    Values that are far off give hundreds of sure boxes, of which a few agree by chance: 3 to 30 % of the confidence,
    where the right values have 55 to 95 %. So a small part counts for little.
    """
    agreed, odd = np.moveaxis(weighed.mean(axis=-2), -1, 0)
    part = agreed / np.maximum(agreed + odd, 1e-9)
    believed = np.clip((part - CHANCE) / (FAIR - CHANCE), 0.02, 1.0)
    return np.asarray(agreed * agreed / np.maximum(agreed + odd / 2, 1e-9) * believed)


def compare(first: Floats, raw: Floats, moved: Floats) -> Tuple[float, float]:
    """Confidence of two views that agrees, weighted by overlap, and confidence that does not.

    Args:
        first: boxes (n, 6) of the picture.
        raw: boxes (m, 6) of a copy, in its pixels.
        moved: the same in pixels of the picture.
    """
    trust, other = trusted(first[:, 4]), trusted(raw[:, 4])
    total = float(trust.sum() + other.sum())
    if not len(first) or not len(raw):
        return 0.0, total
    same_class = first[:, None, 5] == raw[None, :, 5]
    overlap, unmoved = iou(first, moved) * same_class, iou(first, raw) * same_class
    agreed, matched, free = 0.0, 0.0, np.ones(len(raw), bool)
    for row in range(len(first)):
        best = int(np.argmax(overlap[row] * free))
        value = overlap[row, best]
        if not free[best] or value < SAME or unmoved[row].max() > value + STILL:
            continue
        free[best] = False
        agreed += float(np.sqrt(trust[row] * other[best]) * value)
        matched += float(trust[row] + other[best])
    return agreed, total - matched


def trusted(confidence: Floats) -> NDArray[np.float64]:
    """What confidences (n,) count."""
    return np.asarray(np.clip(confidence.astype(np.float64) - SURE, 0, None) + REST * confidence)


def iou(first: Floats, second: Floats) -> NDArray[np.float64]:
    """Overlaps (n, m) of boxes `[x1, y1, x2, y2, …]`, 0..1."""
    a, b = first[:, None, :4].astype(np.float64), second[None, :, :4].astype(np.float64)
    sides = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    both = sides.prod(axis=-1)
    areas = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1)
    return np.asarray(both / np.maximum(areas - both, 1e-9))
