"""The verdict: equal models agree, worse ones are told by how much and how surely."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.accuracy import coco
from edge_runtime.accuracy.evaluate import Found
from edge_runtime.calibrate import verdict
from edge_runtime.types import Truth

COUNT = 24


def found(noise: float, labelled: bool = True, miss: int = 0) -> Found:
    """Boxes with noise in place and score; every `miss`-th image has none."""
    generator = np.random.default_rng(7)
    rows, truths = [], []
    for number in range(COUNT):
        boxes = generator.uniform(0, 60, (4, 2))
        xyxy = np.concatenate([boxes, boxes + generator.uniform(15, 40, (4, 2))], axis=1)
        classes, scores = generator.integers(0, 3, 4), generator.uniform(0.4, 0.9, 4)
        jitter, change = generator.normal(0, 1, (4, 4)), generator.normal(0, 1, 4)
        row = np.concatenate(
            [xyxy + noise * jitter, (scores + 0.02 * noise * change)[:, None], classes[:, None]], axis=1
        )
        rows.append(row.astype(np.float32)[: 0 if miss and number % miss == 0 else 4])
        truths.append(Truth(xyxy.astype(np.float32), classes, np.zeros(4, bool)))
    return Found(tuple(rows), tuple(truths) if labelled else (), ("a", "b", "c"), 1.0, ())


@pytest.mark.parametrize("labelled", [True, False])
def test_the_same_loses_nothing(labelled):
    result = verdict.compare_models(found(0, labelled), found(0, labelled))
    assert (result.drop, result.interval, result.agreement) == (0.0, (0.0, 0.0), 1.0)
    assert result.score_drift == result.score_shift == 0 and not result.certain
    assert result.metric == ("coco_101 AP" if labelled else "agreement")
    assert len(result.classes) == (3 if labelled else 0)


@pytest.mark.parametrize("labelled", [True, False])
def test_what_misses_images_loses_for_certain(labelled):
    result = verdict.compare_models(found(0, labelled), found(0, labelled, miss=3))
    assert result.certain and result.interval[0] < result.drop < result.interval[1]
    assert result.agreement == pytest.approx(0.8), "a third of the boxes is missing: F1 = 2 * 2/3 / (1 + 2/3)"


def test_a_little_noise_drifts():
    result = verdict.compare_models(found(0), found(1.0))
    assert 0.005 < result.score_drift < 0.05 and abs(result.score_shift) < result.score_drift
    assert result.agreement > 0.9


def test_samples_of_all_images_are_the_average_precision():
    some = found(2.0)
    all_of_them = np.arange(COUNT)
    (sample,) = coco.resampled(some.rows, some.truths, 3, [all_of_them])
    assert sample == pytest.approx(coco.average_precision(some.rows, some.truths, 3)[0]["AP"])


def test_a_sample_is_the_average_precision_of_its_images():
    some, draw = found(2.0), np.random.default_rng(3).integers(0, COUNT, COUNT)
    (sample,) = coco.resampled(some.rows, some.truths, 3, [draw])
    rows, truths = [some.rows[k] for k in draw], [some.truths[k] for k in draw]
    assert sample == pytest.approx(coco.average_precision(rows, truths, 3)[0]["AP"])


@pytest.mark.parametrize(("other", "int8_ms", "expected"), [
    (found(0, miss=3), 5.0, "Do not use this INT8 model"),
    (found(0), 5.0, "Use INT8: 2.0 times as fast"),
    (found(0), 10.0, "INT8 brings little on this machine: no faster"),
])  # fmt: skip
def test_recommendation(other, int8_ms, expected):
    sentence = verdict.recommendation(verdict.compare_models(found(0), other), {"fp32": 10.0, "int8": int8_ms}, 0.5)
    assert sentence.startswith(expected) and sentence.endswith(".")


@pytest.mark.parametrize(
    ("drop", "said"), [(-0.04, "0.04 points gained"), (0.5, "0.50 points lost"), (0, "0.00 points lost")]
)
def test_points_are_lost_or_gained_and_never_negative(drop, said):
    assert verdict.points(drop) == said
    assert verdict.points(drop, " of AP") == said.replace("points", "points of AP")
