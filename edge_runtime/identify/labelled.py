"""Judges a combination on labelled pictures: COCO AP, by the same code as edge-eval."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.accuracy import coco, evaluate
from edge_runtime.datasets import Dataset
from edge_runtime.errors import DatasetError
from edge_runtime.identify.candidates import Candidate
from edge_runtime.identify.network import Floats, Image
from edge_runtime.identify.views import View
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.types import Truth

NAME = "AP"
Weighed = Tuple[Floats, Truth]
Classes = Tuple[int, NDArray[np.int64], NDArray[np.int64]]


class Labelled:
    """Judges by AP.

    Args:
        data: the labelled pictures, in the order in which they are looked at.
    """

    name, settles, time = NAME, 0.9, 0.6  # the rest of the time is for a second opinion
    thresholds = Thresholds(conf=0.005, iou=0.6, max_det=100, multi_label=True)

    def __init__(self, data: Dataset) -> None:
        self._data = data
        self._classes: Dict[Tuple[str, ...], Classes] = {}

    def views(self, picture: int, image: Image) -> List[View]:
        """The picture itself."""
        return [View(image)]

    def weigh(self, picture: int, candidate: Candidate, seen: Sequence[View], found: Sequence[Floats]) -> Weighed:
        """Boxes (n, 6) and labels of one picture, with the numbers of the classes that both know."""
        _, of_model, of_data = self._common(candidate)
        rows, truth = found[0].copy(), self._data.truths[picture]
        if self._data.relative:
            height, width = seen[0].image.shape[:2]
            truth = replace(truth, xyxy=truth.xyxy * ([width, height] * 2))
        rows[:, 5] = of_model[rows[:, 5].astype(np.int64)]
        return rows[rows[:, 5] >= 0], evaluate.renumbered(truth, of_data)

    def score(self, candidate: Candidate, weighed: Sequence[Weighed]) -> float:
        """COCO AP, 0..1."""
        return float(self.resampled(candidate, weighed, np.arange(len(weighed))[None])[0])

    def resampled(
        self, candidate: Candidate, weighed: Sequence[Weighed], draws: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """AP (samples,) of random samples of the pictures; `draws` (samples, n) are their numbers."""
        there = np.unique(np.concatenate([truth.class_id for _, truth in weighed]))
        if not len(there):
            return np.zeros(len(draws))
        reduced = [_of_classes(rows, truth, there) for rows, truth in weighed]
        rows, truths = zip(*reduced)
        return coco.resampled(rows, truths, len(there), list(draws))

    def _common(self, candidate: Candidate) -> Classes:
        """Number of common classes, and the number of each class of the model and of the data among them."""
        labels = candidate.spec.labels
        if labels not in self._classes:
            names = self._data.labels or labels
            try:
                common, of_model, of_data = evaluate.match_labels(labels, names, range(len(labels)))
            except DatasetError:
                common, of_model, of_data = (), np.full(len(labels), -1), np.full(len(names), -1)
            self._classes[labels] = len(common), of_model, of_data
        return self._classes[labels]


def _of_classes(rows: Floats, truth: Truth, there: NDArray[np.int64]) -> Weighed:
    """Boxes (n, 6) and labels with the classes that the pictures show (k,), numbered anew. Others have no AP."""
    classes = rows[:, 5].astype(np.int64)
    number = np.minimum(np.searchsorted(there, classes), len(there) - 1)
    kept = there[number] == classes
    changed = rows[kept].copy()
    changed[:, 5] = number[kept]
    return changed, replace(truth, class_id=np.searchsorted(there, truth.class_id))
