"""Evaluation: runs a detector over a data set with the same pipeline as detection, then computes every metric."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.accuracy import coco, confusion, voc
from edge_runtime.datasets import Dataset
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import DatasetError, ModelError
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.sources.image import ImageSource
from edge_runtime.types import Truth

# names of VOC, and the names of COCO for the same things
ALIASES = {
    "aeroplane": "airplane", "diningtable": "dining table", "motorbike": "motorcycle",
    "pottedplant": "potted plant", "sofa": "couch", "tvmonitor": "tv",
}  # fmt: skip
CONFUSION_CONF = 0.25
BLIND, WEAK = 0.05, 0.2  # AP50 below which a detector does not find what is labelled, or little of it
SURELY = 10  # labelled objects, of which a detector that is read rightly finds one
LOOK = "check family and preprocessing: edge-identify"
Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """What a detector found in a data set. Only classes that the model and the data set both know are in it.

    Attributes:
        rows: per image (n, 6) float32 `[x1, y1, x2, y2, score, class_id]`, image pixels.
        truths: the labelled objects of the same images, image pixels.
        labels: names of the classes that both know; `class_id` is an index into them.
        fps: images per second, including the time to read them.
        notes: what a reader of the results should know.
        unread: number of images that could not be read. They are in `rows`, with nothing found.
    """

    rows: Tuple[Rows, ...]
    truths: Tuple[Truth, ...]
    labels: Tuple[str, ...]
    fps: float
    notes: Tuple[str, ...]
    unread: int = 0

    @property
    def objects(self) -> int:
        """Number of labelled objects, without difficult ones and crowds."""
        return sum(int((~truth.ignored).sum()) for truth in self.truths)


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a detector on a data set.

    Attributes:
        curves: VOC precision and recall per class at IoU 0.5.
        voc07_11pt, voc_allpoint: the two VOC averages of these curves, mean over the classes, 0..1.
        coco_101: AP, AP50, AP75, APs, APm, APl, 0..1; -1 if there is no such object.
        per_class: (classes, 2) COCO AP and AP50; -1 for a class without objects.
        confusion: counts at `CONFUSION_CONF`, see `confusion.matrix`.
    """

    found: Found
    curves: Tuple[voc.Curve, ...]
    voc07_11pt: float
    voc_allpoint: float
    coco_101: Dict[str, float]
    per_class: NDArray[np.float64]
    confusion: confusion.Counts

    def summary(self) -> Dict[str, Any]:
        """Returns the metrics as plain data for JSON."""
        return {
            "voc07_11pt": self.voc07_11pt,
            "voc_allpoint": self.voc_allpoint,
            "coco_101": self.coco_101,
            "images": len(self.found.truths),
            "objects": sum(curve.truths for curve in self.curves),
            "fps": self.found.fps,
            "classes": self.classes(),
            "notes": list(self.found.notes),
        }

    def classes(self) -> List[Dict[str, Any]]:
        """Returns one entry per class that has objects."""
        return [
            {"label": label, "objects": curve.truths, "voc07_11pt": curve.eleven_point(),
             "voc_allpoint": curve.all_point(), "AP": float(ap), "AP50": float(ap50)}
            for label, curve, (ap, ap50) in zip(self.found.labels, self.curves, self.per_class) if curve.truths
        ]  # fmt: skip


def evaluate(detector: Detector, data: Dataset, tick: Callable[[], None] = lambda: None) -> Evaluation:
    """Runs the detector on every image and computes every metric.

    Args:
        detector: an open detector with the thresholds of the protocol. For VOC these are usually conf 0.005, NMS 0.45
            and several classes per box.
        tick: called after each image.

    Raises:
        DatasetError: the model and the data have no class in common.
        ModelError: the outputs are not finite, or nothing at all is found although objects are labelled.
        BackendUnavailable: pycocotools is not installed.
    """
    found = detect(detector, data, tick)
    if found.objects and not any(map(len, found.rows)):
        fact = (
            f"{detector.model.path} finds nothing in {len(found.rows)} pictures with {found.objects} labelled objects"
        )
        raise ModelError(fact, hint=LOOK)
    return measure(found)


def detect(detector: Detector, data: Dataset, tick: Callable[[], None] = lambda: None) -> Found:
    """Runs the detector over every image. An image that cannot be read counts as one in which nothing was found.

    Raises:
        DatasetError: the model and the data have no class in common.
        ModelError: the outputs are not finite on an image.
    """
    labels = detector.model.spec.labels
    asked = detector.options.thresholds.class_ids(labels)
    common, of_model, of_data = match_labels(labels, data.labels or labels, asked)
    place = {path: number for number, path in enumerate(data.paths)}
    rows: List[Rows] = [np.zeros((0, 6), np.float32)] * len(place)
    truths = list(data.truths)
    pipeline = Pipeline(detector, ImageSource(data.name, files=data.paths))
    pipeline.watch.every = 1
    for result in pipeline:
        number, found = place[str(result.frame.path)], result.detections
        known = of_model[found.class_id] >= 0
        columns = found.xyxy, found.confidence[:, None], of_model[found.class_id][:, None]
        rows[number] = np.concatenate(columns, axis=1).astype(np.float32)[known]
        if data.relative:
            width, height = result.frame.image_wh
            truths[number] = replace(truths[number], xyxy=truths[number].xyxy * ([width, height] * 2))
        tick()
    pipeline.watch.refuse(detector.model.path)
    unread = pipeline.sources[0].skipped
    notes = [*data.notes, *_notes(asked, data, common), *(f"not read: {item}" for item in unread)]
    return Found(
        tuple(rows),
        tuple(renumbered(truth, of_data) for truth in truths),
        common,
        pipeline.monitor.summary()["fps"],
        tuple(notes),
        len(unread),
    )


def measure(found: Found) -> Evaluation:
    """Computes every metric from detections."""
    count = len(found.labels)
    curves = tuple(voc.curves(found.rows, found.truths, count))
    summary, per_class = coco.average_precision(found.rows, found.truths, count)
    if found.objects >= SURELY and summary["AP50"] < WEAK:
        little = "almost nothing" if summary["AP50"] < BLIND else "little"
        said = f"{little} of what is labelled is found (AP50 {summary['AP50']:.3f}): {LOOK}"
        found = replace(found, notes=(*found.notes, said))
    return Evaluation(
        found,
        curves,
        voc.mean([curve.eleven_point() for curve in curves], curves),
        voc.mean([curve.all_point() for curve in curves], curves),
        summary,
        per_class,
        confusion.matrix(found.rows, found.truths, count, CONFUSION_CONF),
    )


def match_labels(
    model: Sequence[str], data: Sequence[str], asked: Sequence[int]
) -> Tuple[Tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
    """Finds the classes that the model and the data both know.

    Returns their names in the data, then two int64 arrays, (classes of the model,) and (classes of the data,). An entry
    is the index of that class among the common ones, -1 for a class that only one side knows.

    Args:
        asked: ids of the model's classes to look at.

    Raises:
        DatasetError: the two have no class in common.
    """
    known = {canonical(model[number]): number for number in asked}
    common = tuple(label for label in data if canonical(label) in known)
    if not common:
        fact = f"model and data share no class: {_some(model)} against {_some(data)}"
        raise DatasetError(fact, hint="give the names of the model's classes with --labels")
    of_model, of_data = np.full(len(model), -1), np.full(len(data), -1)
    for number, label in enumerate(common):
        of_model[known[canonical(label)]] = number
        of_data[list(data).index(label)] = number
    return common, of_model, of_data


def canonical(label: str) -> str:
    """Returns a class name without case and separators, with one spelling for VOC and COCO."""
    plain = " ".join(label.lower().replace("_", " ").replace("-", " ").split())
    return ALIASES.get(plain.replace(" ", ""), plain)


def renumbered(truth: Truth, of_data: NDArray[np.int64]) -> Truth:
    """Returns the objects of the common classes, with their new class ids.

    Args:
        of_data: (classes of the data,) int64, as `match_labels` gives it.
    """
    number = of_data[truth.class_id]
    known = number >= 0
    crowd = None if truth.crowd is None else truth.crowd[known]
    area = None if truth.area is None else truth.area[known]
    return Truth(truth.xyxy[known], number[known], truth.difficult[known], crowd, area)


def _notes(asked: Sequence[int], data: Dataset, common: Sequence[str]) -> List[str]:
    """Returns notes on the classes that were left out because only one side knows them."""
    notes = []
    missing = [label for label in data.labels if label not in common]
    if missing:
        notes.append(f"{len(missing)} classes of the data are left out: the model does not have {_some(missing)}")
    if len(common) < len(asked):
        notes.append(f"{len(asked) - len(common)} classes of the model are not in the data: their boxes are left out")
    if not data.labels:
        notes.append("the data has no class names: its class numbers are used as the model's")
    return notes


def _some(labels: Sequence[str], most: int = 5) -> str:
    return ", ".join(labels[:most]) + (", …" if len(labels) > most else "")
