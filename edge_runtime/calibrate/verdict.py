"""The verdict on a quantised model. It is compared with its float original on images that calibration did not see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.accuracy import coco, evaluate, evidence
from edge_runtime.accuracy.evaluate import BLIND, LOOK, SURELY, WEAK, Found
from edge_runtime.accuracy.evidence import Evidence
from edge_runtime.accuracy.voc import overlap
from edge_runtime.datasets import Dataset
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import DatasetError, ModelError

CONF = 0.25  # lowest confidence of boxes that count when the boxes of two models are matched
OVERLAPS = np.linspace(0.5, 0.95, 10)  # those of COCO's AP: a box that has moved agrees at fewer of them
ROUNDS, WARM = 15, 3
CHECK = LOOK[0].upper() + LOOK[1:]
SIZES = {"small": "APs", "medium": "APm", "large": "APl"}
Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Comparison:
    """A quantised model compared with its original.

    Attributes:
        metric: `AP` (coco_101) with labels, else `agreement`.
        before, after: the metric of the original and of the quantised model, 0..1.
        drop: loss in points, positive if the quantised model is worse.
        interval: interval of the drop in points that holds 95 % of the samples of the images.
        agreement: F1 of the boxes at `CONF`, with the original's boxes as the truth: same class, mean over `OVERLAPS`.
        agreement_50: the same at an IoU of 0.5 alone.
        score_drift: mean absolute change of the score of matched boxes.
        score_shift: mean change of the score, with its sign.
        classes: label, before, after (AP), if there are labels.
        sizes: size of the objects, before, after (AP), if there are labels.
        images: number of images.
        boxes: number of boxes at `CONF` that at least one of the two found.
        objects: number of labelled objects.
        before_50: AP50 of the original, if there are labels.
    """

    metric: str
    before: float
    after: float
    drop: float
    interval: Tuple[float, float]
    agreement: float
    agreement_50: float
    score_drift: float
    score_shift: float
    classes: Tuple[Tuple[str, float, float], ...]
    images: int
    boxes: int
    sizes: Tuple[Tuple[str, float, float], ...] = ()
    objects: int = 0
    before_50: float = 0.0

    @property
    def evidence(self) -> Evidence:
        """What the verdict rests on."""
        return Evidence(self.metric, self.drop, *self.interval, self.boxes, self.images)

    @property
    def blind(self) -> str:
        """Says that the original itself does not find what is labelled; "" if it does."""
        if not self.objects or self.before_50 >= BLIND:
            return ""
        found = "nothing" if not self.before_50 else f"almost nothing (AP50 {self.before_50:.3f})"
        return f"the float model finds {found} of the {self.objects} labelled objects in {self.images} pictures"

    def summary(self) -> Dict[str, Any]:
        """Returns plain data for JSON."""
        listed = {key: [dict(zip(("label", "before", "after"), row)) for row in getattr(self, key)]
                  for key in ("classes", "sizes")}  # fmt: skip
        return {**self.__dict__, "interval": list(self.interval), "possible": list(self.evidence.interval), **listed}


def compare_models(before: Found, after: Found) -> Comparison:
    """Compares what two models found in the same images: by AP if objects are labelled, else by agreement.

    Raises:
        BackendUnavailable: there are labels, and pycocotools is not installed.
    """
    draws = coco.draws(len(before.rows))
    agreed = _agreement(before, after, draws)
    return _average_precision(agreed, before, after, draws) if before.objects else agreed


def refuse_blind(comparison: Comparison, path: str) -> None:
    """Raises ModelError if the original does not find what is labelled, in pictures with enough objects."""
    if comparison.blind and comparison.objects >= SURELY:
        fact = f"the pictures cannot say what INT8 costs {path}: {comparison.blind}"
        raise ModelError(fact, hint=f"{LOOK} {path} PICTURES; --no-verdict calibrates it in spite of this")


def against_labels(data: Dataset, labels: Sequence[str], asked: Sequence[int]) -> str:
    """Returns why a model cannot be judged by the labels of a data set; "" if it can, or if there are none.

    Args:
        labels: names of the model's classes.
        asked: ids of the classes that count.
    """
    if not data.truths:
        return ""
    try:
        known = evaluate.match_labels(labels, data.labels or labels, asked)[2]
    except DatasetError as error:
        return str(error)
    numbers = np.concatenate([truth.class_id for truth in data.truths])
    if numbers.size and numbers.max() >= len(known):
        return f"the labels have class number {numbers.max()}, the model has {len(known)} classes"
    if not (known[numbers] >= 0).any():
        return "the labels show no object of a class of the model"
    if all(truth.ignored.all() for truth in data.truths):
        return "the labels show only difficult objects or crowds, which do not count"
    return coco.missing()


def of_given(found: Found) -> str:
    """Returns what is known about a file that was INT8 already."""
    seen = evidence.count(len(found.rows) - found.unread, "picture", "pictures")
    if found.objects:
        figures = coco.average_precision(found.rows, found.truths, len(found.labels))[0]
        seen = f"its AP is {figures['AP']:.4f} on {evidence.count(found.objects, 'object', 'objects')} in {seen}"
        if figures["AP50"] < BLIND:
            seen += f", so {LOOK}"
    else:
        boxes = sum(int((rows[:, 4] >= CONF).sum()) for rows in found.rows)
        seen = f"it finds {evidence.count(boxes, 'box', 'boxes')} in {seen}"
    return (f"This file is INT8 already and keeps its own ranges: {seen}. Without its float original, they cannot say "
            "what INT8 costs.")  # fmt: skip


def _agreement(before: Found, after: Found, draws: Sequence[NDArray[np.int64]]) -> Comparison:
    pairs = [_match(first, second) for first, second in zip(before.rows, after.rows)]
    sizes = np.array([first + second for first, second, *_ in pairs])
    matched = np.stack([(overlaps[:, None] >= OVERLAPS - 1e-9).sum(axis=0) for *_, overlaps, _ in pairs])
    drift = np.concatenate([change for *_, change in pairs])
    moved = (float(np.abs(drift).mean()), float(drift.mean())) if drift.size else (0.0, 0.0)
    scores, boxes = _f1(matched.sum(axis=0), sizes.sum()), int(sizes.sum() - matched[:, 0].sum())
    samples = np.array([100 * (1 - _f1(matched[draw].sum(axis=0), sizes[draw].sum()).mean()) for draw in draws])
    mean = float(scores.mean())
    return Comparison(
        evidence.AGREEMENT, 1.0, mean, 100 * (1 - mean), coco.interval(samples), mean, float(scores[0]), *moved,
        (), len(pairs) - before.unread, boxes,
    )  # fmt: skip


def _average_precision(
    agreed: Comparison, before: Found, after: Found, draws: Sequence[NDArray[np.int64]]
) -> Comparison:
    labels, both = before.labels, (before, after)
    results = [coco.average_precision(found.rows, found.truths, len(labels)) for found in both]
    (first, per_class), (second, other_class) = results
    one, other = (coco.resampled(found.rows, found.truths, len(labels), draws) for found in both)
    classes = tuple((label, float(per_class[k, 0]), float(other_class[k, 0])) for k, label in enumerate(labels)
                    if per_class[k, 0] >= 0)  # fmt: skip
    sizes = tuple((size, first[name], second[name]) for size, name in SIZES.items() if first[name] >= 0)
    return replace(
        agreed, metric=evidence.AP, before=first["AP"], after=second["AP"], drop=100 * (first["AP"] - second["AP"]),
        interval=coco.interval(100 * (one - other)), classes=classes, sizes=sizes,
        objects=before.objects, before_50=first["AP50"],
    )  # fmt: skip


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


def recommendation(
    comparison: Comparison, speeds: Dict[str, float], max_drop: float, extra: str = "", doubt: str = ""
) -> str:
    """Returns the verdict on INT8 in one sentence; see `evidence.sentence`.

    Args:
        doubt: why the float model itself seems to be read wrongly; "" if it does not.
    """
    if comparison.blind:
        return f"The pictures cannot say what INT8 costs: {comparison.blind}. {CHECK}."
    if doubt:
        return (
            f"The pictures cannot say what INT8 costs: {doubt}. {CHECK}. As it is read: {comparison.evidence.loss()}."
        )
    gain = speeds["fp32"] / speeds["int8"] if "int8" in speeds else None
    if comparison.objects >= SURELY and comparison.before_50 < WEAK:
        weak = f"fp32 itself finds little of what is labelled (AP50 {comparison.before_50:.3f}), so {LOOK}"
        extra = f"{extra}; {weak}" if extra else weak
    return evidence.sentence("fp32", "INT8", comparison.evidence, max_drop, gain, extra)


Pair = Tuple[int, int, NDArray[np.float64], NDArray[np.float64]]


def _match(before: Rows, after: Rows) -> Pair:
    """Matches the boxes of two models, best scores first.

    Returns how many boxes each has, and of the matched ones the IoU and the change of the score.
    """
    first, second = (rows[rows[:, 4] >= CONF] for rows in (before, after))
    free, found = np.ones(len(second), bool), []
    for row in first[np.argsort(-first[:, 4])]:
        overlaps = overlap(row[:4], second[:, :4].astype(np.float64)) * (free & (second[:, 5] == row[5]))
        if len(second) and overlaps.max() >= OVERLAPS[0]:
            best = int(np.argmax(overlaps))
            free[best] = False
            found.append((overlaps[best], float(second[best, 4] - row[4])))
    listed = np.array(found, np.float64).reshape(-1, 2)
    return len(first), len(second), listed[:, 0], listed[:, 1]


def _f1(matched: NDArray[np.int64], boxes: int) -> NDArray[np.float64]:
    """Returns the F1 at each of `OVERLAPS`; 1 if neither model found anything."""
    return 2 * matched / boxes if boxes else np.ones(len(OVERLAPS))
