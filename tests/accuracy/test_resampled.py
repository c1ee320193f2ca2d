"""The bootstrap of AP: each sample has the AP that pycocotools gives for a data set of exactly those images."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.accuracy import coco
from edge_runtime.types import Truth

pytest.importorskip("pycocotools")
IMAGES, CLASSES = 12, 5


def boxes(random: np.random.Generator, count: int) -> np.ndarray:
    corner = random.uniform(0, 300, (count, 2))
    return np.hstack([corner, corner + random.uniform(10, 150, (count, 2))])


def test_a_sample_is_a_data_set_of_its_images() -> None:
    random = np.random.default_rng(3)
    found, truths = [], []
    for _ in range(IMAGES):
        count = int(random.integers(0, 6))
        labelled, numbers = boxes(random, count), random.integers(0, CLASSES, count)
        truths.append(Truth(labelled, numbers, np.zeros(count, bool), random.random(count) < 0.15))
        near = np.vstack([labelled + random.normal(0, 6, labelled.shape), boxes(random, 8)])
        scores, classes = random.random(len(near)), np.r_[numbers, random.integers(0, CLASSES, 8)]
        found.append(np.c_[near, scores, classes].astype(np.float32))
    draws = [np.arange(IMAGES), np.zeros(4, np.int64), *random.integers(0, IMAGES, (20, IMAGES))]
    for draw, sample in zip(draws, coco.resampled(found, truths, CLASSES, draws)):
        figures, _ = coco.average_precision([found[k] for k in draw], [truths[k] for k in draw], CLASSES)
        assert sample == pytest.approx(max(figures["AP"], 0.0), abs=1e-9)


def test_intervals_by_size_are_those_of_the_samples() -> None:
    random = np.random.default_rng(4)
    found, truths = [], []
    for _ in range(IMAGES):
        labelled, numbers = boxes(random, 4), random.integers(0, 2, 4)
        truths.append(Truth(labelled, numbers, np.zeros(4, bool)))
        near = labelled + random.normal(0, 8, labelled.shape)
        found.append(np.c_[near, random.random(4), numbers].astype(np.float32))
    draws = [random.integers(0, IMAGES, IMAGES) for _ in range(8)]
    figures = [coco.average_precision([found[k] for k in draw], [truths[k] for k in draw], 2)[0] for draw in draws]
    ends = coco.intervals(found, truths, 2, draws)
    assert set(ends) == {"AP", "AP50", "APs", "APm", "APl"}
    for name, (low, high) in ends.items():
        expected = np.percentile([figure[name] for figure in figures if figure[name] >= 0], [2.5, 97.5])
        assert (low, high) == pytest.approx(tuple(expected), abs=1e-9), name
    assert "APl" not in coco.intervals(
        found, [Truth(t.xyxy[:0], t.class_id[:0], t.difficult[:0]) for t in truths], 2, draws
    )


def test_nothing_found_is_no_precision() -> None:
    truth = Truth(np.array([[0.0, 0, 10, 10]]), np.array([0]), np.zeros(1, bool))
    nothing = np.zeros((0, 6), np.float32)
    assert coco.resampled([nothing], [truth], 1, [np.zeros(1, np.int64)]).tolist() == [0.0]
