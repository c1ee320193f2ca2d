"""The verdict on a quantised model. It is compared with its float original on images that calibration did not see."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.accuracy import coco
from edge_runtime.accuracy.evaluate import Found
from edge_runtime.detect.detector import Detector

CONF = 0.25  # lowest confidence of boxes that count when the boxes of two models are matched
OVERLAP = 0.5
SAMPLES = 200
ROUNDS, WARM = 15, 3
AGREEMENT = "agreement"  # the metric if there are no labels
Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Comparison:
    """A quantised model compared with its original.

    Attributes:
        metric: name of the metric in `before` and `after`: `coco_101 AP` with labels, else `agreement`.
        before, after: the metric of the original and of the quantised model, 0..1.
        drop: loss in points, positive if the quantised model is worse.
        interval: interval of the drop in points that holds 95 % of the samples of the images.
        agreement: F1 of the boxes at `CONF`, with the original's boxes as the truth: same class, IoU of 0.5.
        score_drift: mean absolute change of the score of matched boxes.
        score_shift: mean change of the score, with its sign.
        classes: label, before, after (AP), if there are labels.
        images: number of images.
    """

    metric: str
    before: float
    after: float
    drop: float
    interval: Tuple[float, float]
    agreement: float
    score_drift: float
    score_shift: float
    classes: Tuple[Tuple[str, float, float], ...]
    images: int

    @property
    def certain(self) -> bool:
        """Whether the drop is more than chance explains."""
        return self.interval[0] > 0

    def summary(self) -> Dict[str, Any]:
        """Returns plain data for JSON."""
        classes = [{"label": label, "before": before, "after": after} for label, before, after in self.classes]
        return {**self.__dict__, "interval": list(self.interval), "classes": classes}


def compare_models(before: Found, after: Found) -> Comparison:
    """Compares what two models found in the same images: by AP if there are labels, else by agreement.

    Raises:
        BackendUnavailable: there are labels, and pycocotools is not installed.
    """
    count = len(before.rows)
    draws = [np.random.default_rng(number).integers(0, count, count) for number in range(SAMPLES)]
    pairs = [_match(first, second) for first, second in zip(before.rows, after.rows)]
    agreement, drift = _agreement(pairs), np.concatenate([change for *_, change in pairs])
    moved = (float(np.abs(drift).mean()), float(drift.mean())) if drift.size else (0.0, 0.0)
    if not before.truths:
        samples = np.array([100 * (1 - _agreement([pairs[k] for k in draw])) for draw in draws])
        return Comparison(AGREEMENT, 1.0, agreement, 100 * (1 - agreement), _interval(samples), agreement, *moved,
                          (), count)  # fmt: skip
    labels, both = before.labels, (before, after)
    results = [coco.average_precision(found.rows, found.truths, len(labels)) for found in both]
    first, second = (result["AP"] for result, _ in results)
    one, other = (coco.resampled(found.rows, found.truths, len(labels), draws) for found in both)
    classes = tuple((label, float(results[0][1][k, 0]), float(results[1][1][k, 0])) for k, label in enumerate(labels)
                    if results[0][1][k, 0] >= 0)  # fmt: skip
    interval = _interval(100 * (one - other))
    return Comparison("coco_101 AP", first, second, 100 * (first - second), interval, agreement, *moved, classes, count)


def speed(
    detectors: Dict[str, Detector], image: NDArray[np.uint8], tick: Callable[[], None] = lambda: None
) -> Dict[str, float]:
    """Returns the median milliseconds of inference alone, on an (H, W, 3) image. The detectors take turns."""
    times: Dict[str, List[float]] = {name: [] for name in detectors}
    for number in range(WARM + ROUNDS):
        for name, detector in detectors.items():
            started = perf_counter()
            detector(image)
            spent = detector.backend.stage_ms(0).get("inference", (perf_counter() - started) * 1e3)
            times[name] += [spent] if number >= WARM else []
        tick()
    return {name: float(np.median(values)) for name, values in times.items()}


def points(drop: float, what: str = "") -> str:
    """Returns a drop as words: `0.04 points gained` for -0.04."""
    return f"{abs(drop):.2f} points{what} {'lost' if drop >= 0 else 'gained'}"


def recommendation(chosen: Comparison, speeds: Dict[str, float], max_drop: float) -> str:
    """Returns the advice for the user, in one sentence."""
    gain = speeds["fp32"] / speeds["int8"] if "int8" in speeds else 0.0
    faster = f"{gain:.1f} times as fast as fp32 here" if gain >= 1.05 else f"no faster than fp32 here ({gain:.2f}x)"
    what = "AP" if chosen.metric != AGREEMENT else "agreement"
    low, high = chosen.interval
    moved = points(chosen.drop, f" of {what}")
    change = f"{moved} (95 % of samples lose {low:.2f} to {high:.2f}; {chosen.images} images)"
    if chosen.drop > max_drop and chosen.certain:
        return f"Do not use this INT8 model if accuracy is important: {change}, {faster}."
    if gain < 1.05:
        return f"INT8 brings little on this machine: {faster}; {change}."
    chance = ", which may be chance" if chosen.drop and not chosen.certain else ""
    return f"Use INT8: {faster}; {change}{chance}."


Pair = Tuple[int, int, NDArray[np.float64]]


def _match(before: Rows, after: Rows) -> Pair:
    """Matches the boxes of two models, best scores first.

    Returns the boxes of each, and the changes of the score of matched boxes.
    """
    first, second = (rows[rows[:, 4] >= CONF] for rows in (before, after))
    free, changes = np.ones(len(second), bool), []
    for row in first[np.argsort(-first[:, 4])]:
        overlaps = _iou(row, second) * (free & (second[:, 5] == row[5]))
        if len(second) and overlaps.max() >= OVERLAP:
            best = int(np.argmax(overlaps))
            free[best] = False
            changes.append(float(second[best, 4] - row[4]))
    return len(first), len(second), np.array(changes)


def _agreement(pairs: Sequence[Pair]) -> float:
    """Returns the F1 over all boxes; 1 if neither model found anything."""
    boxes = sum(first + second for first, second, _ in pairs)
    return 2 * sum(len(changes) for *_, changes in pairs) / boxes if boxes else 1.0


def _iou(row: Rows, rows: Rows) -> NDArray[np.float64]:
    low, high = np.maximum(row[:2], rows[:, :2]), np.minimum(row[2:4], rows[:, 2:4])
    common = np.clip(high - low, 0, None).prod(axis=1)
    areas = (rows[:, 2:4] - rows[:, :2]).prod(axis=1) + (row[2:4] - row[:2]).prod()
    overlap: NDArray[np.float64] = common / np.maximum(areas - common, 1e-9)
    return overlap


def _interval(samples: NDArray[np.float64]) -> Tuple[float, float]:
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)
