"""Average precision as COCO defines it, computed by pycocotools."""

from __future__ import annotations

import contextlib
import io
import threading
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries.extras import install_hint
from edge_runtime.types import Truth

NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl")
SAMPLES = 200
IOUS = 10  # 0.5, 0.55, … 0.95
# The figures that have an interval: the range of sizes as pycocotools numbers it, and the IoUs.
SPREAD = {"AP": (0, slice(None)), "AP50": (0, slice(1)), "APs": (1, slice(None)), "APm": (2, slice(None)),
          "APl": (3, slice(None))}  # fmt: skip
RECALLS = np.linspace(0.0, 1.0, 101)
_SILENCE = threading.Lock()  # stdout is that of all threads


def average_precision(
    detections: Sequence[NDArray[np.float32]], truths: Sequence[Truth], num_classes: int
) -> Tuple[Dict[str, float], NDArray[np.float64]]:
    """Computes coco_101: the mean over the classes that have ground truth, best 100 detections per image and class.

    COCO knows crowds but no difficult objects. Difficult objects count like any other.

    Args:
        detections: per image (n, 6) `[x1, y1, x2, y2, score, class_id]`, image pixels.
        truths: the labelled objects of the same images.

    Returns:
        `{"AP", "AP50", "AP75", "APs", "APm", "APl"}`, and an array (num_classes, 2) with AP and AP50 per class. A value
        is -1 if there is no such object.

    Raises:
        BackendUnavailable: pycocotools is not installed.
    """
    with _silent():
        evaluation = _matched(detections, truths, num_classes)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][..., 0, -1]  # (IoU, recall, class) for all areas and the most detections
    per_class = np.stack([_mean(precision), _mean(precision[:1])], axis=1)
    return {name: float(value) for name, value in zip(NAMES, evaluation.stats)}, per_class


def missing() -> str:
    """Why there is no AP here; "" if there is."""
    try:
        import pycocotools.cocoeval  # noqa: F401
    except ImportError as error:
        return f"pycocotools cannot be loaded ({error})"
    return ""


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Drops what pycocotools prints."""
    with _SILENCE, contextlib.redirect_stdout(io.StringIO()):
        yield


def draws(images: int) -> List[NDArray[np.int64]]:
    """Returns samples (images,) of image numbers, drawn with replacement, always the same for a number of images."""
    return [np.random.default_rng(number).integers(0, images, images) for number in range(SAMPLES)]


def interval(samples: NDArray[np.float64]) -> Tuple[float, float]:
    """Returns the interval that holds 95 % of the samples, (samples,)."""
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)


def resampled(
    detections: Sequence[NDArray[np.float32]],
    truths: Sequence[Truth],
    num_classes: int,
    draws: Sequence[NDArray[np.int64]],
) -> NDArray[np.float64]:
    """Returns the AP of random samples of the images, drawn with replacement (bootstrap).

    Their spread shows how much the AP depends on chance.

    Args:
        draws: per sample (images,) image numbers. Use the same draws for two detectors to get paired samples.

    Returns:
        (samples,) AP, 0..1, defined as in `average_precision`.
    """
    with _silent():
        evaluation = _matched(detections, truths, num_classes)
        evaluation.params.areaRng, evaluation.params.areaRngLbl = evaluation.params.areaRng[:1], ["all"]
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
    samples, _ = _samples(evaluation, draws, len(truths), 0)
    return np.asarray(samples.mean(axis=-1))


def intervals(
    detections: Sequence[NDArray[np.float32]],
    truths: Sequence[Truth],
    num_classes: int,
    draws: Sequence[NDArray[np.int64]],
) -> Dict[str, Tuple[float, float]]:
    """Returns the interval that holds 95 % of random samples of the images, for each of `SPREAD` that has objects.

    Args:
        draws: per sample (images,) image numbers.
    """
    with _silent():
        evaluation = _matched(detections, truths, num_classes)
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
    found = {}
    for name, (area, ious) in SPREAD.items():
        samples, known = _samples(evaluation, draws, len(truths), area)
        if known.any():
            found[name] = interval(samples[known > 0][:, ious].mean(axis=-1))
    return found


def _samples(
    evaluation: Any, draws: Sequence[NDArray[np.int64]], images: int, area: int
) -> Tuple[NDArray[np.float64], NDArray[np.int64]]:
    """AP (samples, IoU) of each sample, 0 for one without objects, and how many classes it has objects of, (samples,).

    Args:
        area: number of the range of sizes, among those that were evaluated.
    """
    counts = np.array([np.bincount(draw, minlength=images) for draw in draws], np.int64)
    found, areas = evaluation.evalImgs, len(evaluation.params.areaRng)  # matches are listed by class, area and image
    sums, known = np.zeros((len(draws), len(evaluation.params.iouThrs))), np.zeros(len(draws), np.int64)
    for first in range(area * images, len(found), areas * images):
        precision, there = _resampled_class(found[first : first + images], counts)
        sums, known = sums + np.where(there[:, None], precision, 0.0), known + there
    return np.asarray(sums / np.maximum(known, 1)[:, None]), known


def _resampled_class(
    matches: Sequence[Any], counts: NDArray[np.int64]
) -> Tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """AP (samples, IoU) of one class in each sample, and whether the sample holds objects of it, (samples,).

    Args:
        matches: pycocotools' entry per image; None for an image without this class.
        counts: (samples, images) how often an image is in a sample.
    """
    numbers = [number for number, match in enumerate(matches) if match is not None]
    objects = np.zeros(len(matches))
    objects[numbers] = [np.count_nonzero(np.asarray(matches[number]["gtIgnore"]) == 0) for number in numbers]
    total = counts @ objects
    scores = np.concatenate([np.zeros(0), *(matches[number]["dtScores"] for number in numbers)])
    if not len(scores):
        return np.zeros((len(counts), IOUS)), total > 0
    order = np.argsort(-scores, kind="mergesort")
    image = np.repeat(numbers, [len(matches[number]["dtScores"]) for number in numbers])[order]
    right, ignored = (
        np.concatenate([matches[number][key] for number in numbers], axis=1)[:, order] != 0
        for key in ("dtMatches", "dtIgnore")
    )
    weights = counts[:, None, image]  # (samples, IoU, detections) from here on
    true = np.cumsum(weights * (right & ~ignored), axis=-1)
    false = np.cumsum(weights * (~right & ~ignored), axis=-1)
    return _interpolated(true, false, np.maximum(total, 1)[:, None, None]), total > 0


def _interpolated(true: NDArray[np.int64], false: NDArray[np.int64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the precision at the 101 recalls 0, 0.01, … 1: (samples, IoU)."""
    precision = true / np.maximum(true + false, 1)
    envelope = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    reached = np.searchsorted(RECALLS, true / total, side="right")  # how many of the recalls are no higher
    steps = np.diff(reached, axis=-1, prepend=0)
    return np.asarray((envelope * steps).sum(axis=-1) / 101)


def _matched(detections: Sequence[NDArray[np.float32]], truths: Sequence[Truth], num_classes: int) -> Any:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise BackendUnavailable("pycocotools is not installed", hint=install_hint("eval")) from error
    truth, found = COCO(), COCO()
    truth.dataset = _listing(_objects(truths), len(truths), num_classes)
    found.dataset = _listing(_found(detections), len(truths), num_classes)
    truth.createIndex()
    found.createIndex()
    return COCOeval(truth, found, "bbox")


def _mean(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean precision of each class. A class without ground truth has -1 everywhere."""
    means: NDArray[np.float64] = precision.mean(axis=(0, 1))
    return means


def _listing(notes: List[Dict[str, Any]], images: int, num_classes: int) -> Dict[str, Any]:
    categories = [{"id": number} for number in range(num_classes)]
    return {"images": [{"id": number} for number in range(images)], "categories": categories, "annotations": notes}


def _objects(truths: Sequence[Truth]) -> List[Dict[str, Any]]:
    notes: List[Dict[str, Any]] = []
    for image, truth in enumerate(truths):
        crowd = truth.crowd if truth.crowd is not None else np.zeros(len(truth.xyxy), bool)
        for number, (box, class_id) in enumerate(zip(_xywh(truth.xyxy), truth.class_id.tolist())):
            area = float(truth.area[number]) if truth.area is not None else box[2] * box[3]
            notes.append({"id": len(notes) + 1, "image_id": image, "category_id": class_id, "bbox": box, "area": area,
                          "iscrowd": int(crowd[number])})  # fmt: skip
    return notes


def _found(detections: Sequence[NDArray[np.float32]]) -> List[Dict[str, Any]]:
    notes: List[Dict[str, Any]] = []
    for image, rows in enumerate(detections):
        for box, score, class_id in zip(_xywh(rows[:, :4]), rows[:, 4].tolist(), rows[:, 5].tolist()):
            notes.append({"id": len(notes) + 1, "image_id": image, "category_id": int(class_id), "bbox": box,
                          "area": box[2] * box[3], "score": score, "iscrowd": 0})  # fmt: skip
    return notes


def _xywh(xyxy: NDArray[Any]) -> List[List[float]]:
    boxes = xyxy.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    listed: List[List[float]] = boxes.tolist()
    return listed
