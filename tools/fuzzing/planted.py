"""Outputs that hold one object, as exporters write them: read right or refused, and never read as something else."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Callable, Dict, List, Tuple

import numpy as np

from edge_runtime.model.spec import ModelIO

SIDE, CELLS = 320, 2100
NEAR = 2.0  # pixels
Random = np.random.Generator
Table = Callable[["Object", Random, int], List[np.ndarray]]


@dataclass(frozen=True)
class Object:
    """The one object: corners in pixels of the input, its class, its score."""

    xyxy: Tuple[float, float, float, float]
    number: int
    score: float

    @property
    def centre(self) -> Tuple[float, float, float, float]:
        """Centre and size."""
        x1, y1, x2, y2 = self.xyxy
        return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def _places(numbers: Random, count: int, corners: bool) -> np.ndarray:
    """Boxes everywhere, of no object."""
    size, first = numbers.uniform(8, 60, (count, 2)), numbers.uniform(0, 250, (count, 2))
    return np.concatenate([first, first + size] if corners else [first + size / 2, size], axis=1)


def _scores(there: Object, numbers: Random, count: int, classes: int, at: int) -> np.ndarray:
    found = numbers.uniform(1e-6, 1e-3, (count, classes))
    found[at, there.number] = there.score
    return found


def _rows(
    there: Object, numbers: Random, classes: int, count: int, corners: bool = False
) -> Tuple[np.ndarray, np.ndarray]:
    """Boxes and scores; the object is in the middle."""
    boxes = _places(numbers, count, corners)
    boxes[count // 2] = there.xyxy if corners else there.centre
    return boxes, _scores(there, numbers, count, classes, count // 2)


def _v8(there: Object, numbers: Random, classes: int, scale: float = 1.0) -> List[np.ndarray]:
    boxes, scores = _rows(there, numbers, classes, CELLS)
    return [np.concatenate([boxes * scale, scores], axis=1).T]


def _v5(there: Object, numbers: Random, classes: int, per_cell: int = 3) -> List[np.ndarray]:
    boxes, scores = _rows(there, numbers, classes, per_cell * CELLS)
    objectness = np.ones((len(boxes), 1)) if per_cell == 1 else numbers.uniform(1e-6, 1e-3, (len(boxes), 1))
    objectness[len(boxes) // 2] = 1
    return [np.concatenate([boxes, objectness, scores], axis=1)]


def _more(tables: List[np.ndarray], numbers: Random, more: np.ndarray, axis: int) -> List[np.ndarray]:
    return [np.concatenate([tables[0], more], axis=axis)]


def _pose(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    one = Object(there.xyxy, 0, there.score)
    boxes, scores = _rows(one, numbers, 1, CELLS)
    points = boxes[:, None, :2] + numbers.uniform(-0.4, 0.4, (CELLS, 17, 2)) * boxes[:, None, 2:]
    points = np.concatenate([points, numbers.uniform(0, 1, (CELLS, 17, 1))], axis=2).reshape(CELLS, -1)
    return [np.concatenate([boxes, scores, points], axis=1).T]


def _segments(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    masks = numbers.normal(0, 1, (32, CELLS))
    return [*_more(_v8(there, numbers, classes), numbers, masks, 0), numbers.normal(0, 1, (32, SIDE // 4, SIDE // 4))]


def _oriented(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    return _more(_v8(there, numbers, classes), numbers, numbers.uniform(-0.7, 2.3, (1, CELLS)), 0)


def _finished(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    table = np.concatenate([_places(numbers, 300, True), np.zeros((300, 2))], axis=1)
    table[:, 4], table[:, 5] = np.linspace(0.01, 0.001, 300), numbers.integers(0, 80, 300)
    table[0] = (*there.xyxy, there.score, there.number)
    return [table]


def _finished_oriented(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    return _more(_finished(there, numbers, classes), numbers, numbers.uniform(-0.7, 2.3, (300, 1)), 1)


def _pair(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    return list(_rows(there, numbers, classes, CELLS, corners=True))


def _rf_detr(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    boxes, scores = _rows(there, numbers, classes, 300)
    return [boxes / SIDE, np.log(scores / (1 - scores))]


def _rt_detr(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    boxes, scores = _rows(there, numbers, classes, 300)
    return [np.concatenate([boxes / SIDE, scores], axis=1)]


def _columns(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    """Boxes, scores and class numbers, in outputs of their own."""
    (table,) = _finished(there, numbers, classes)
    return [table[:, :4], table[:, 4], table[:, 5]]


def _counted(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    """EfficientNMS; behind the count are rows of an earlier picture."""
    boxes, scores, labels = _columns(there, numbers, classes)
    scores[1:] = numbers.uniform(0.1, 0.9, len(scores) - 1)
    return [np.ones(1), boxes, scores, labels]


def _mmdeploy(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    (table,) = _finished(there, numbers, classes)
    return [table[:, :5], table[:, 5]]


def _seven(there: Object, numbers: Random, class_first: bool) -> List[np.ndarray]:
    (table,) = _finished(there, numbers, 80)
    order = [0, 1, 2, 3, 5, 4] if class_first else range(6)
    return [np.concatenate([np.zeros((len(table), 1)), table[:, list(order)]], axis=1)]


def _paddle(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    (table,) = _finished(there, numbers, classes)
    return [table[:, [5, 4, 0, 1, 2, 3]]]


def _detr(there: Object, numbers: Random, classes: int) -> List[np.ndarray]:
    """Logits of a softmax whose last class is "no object", and boxes."""
    boxes, _ = _rows(there, numbers, classes, 300)
    logits = numbers.normal(-3, 1, (300, classes + 1))
    logits[:, -1] = 8
    at = len(logits) // 2
    logits[at] = -20
    logits[at, there.number], logits[at, -1] = np.log(there.score), np.log(1 - there.score)
    return [logits, boxes / SIDE]


KINDS: Dict[str, Table] = {
    "boxes, scores, class numbers": _columns,
    "EfficientNMS": _counted,
    "mmdeploy": _mmdeploy,
    "YOLOv7's seven columns": lambda there, numbers, classes: _seven(there, numbers, True),
    "YOLO-NAS' seven columns": lambda there, numbers, classes: _seven(there, numbers, False),
    "PaddleDetection": _paddle,
    "DETR of Hugging Face": _detr,
    "v8": _v8,
    "v8 in fractions": lambda there, numbers, classes: _v8(there, numbers, classes, 1 / SIDE),
    "v5": _v5,
    "v6": lambda there, numbers, classes: _v5(there, numbers, classes, 1),
    "pose": _pose,
    "segments": _segments,
    "oriented": _oriented,
    "finished": _finished,
    "finished, oriented": _finished_oriented,
    "boxes and scores": _pair,
    "RF-DETR": _rf_detr,
    "RT-DETR": _rt_detr,
}
UNREADABLE = ("oriented", "finished, oriented")  # the box is rotated, so that every result is wrong


def draw(chance: random.Random, numbers: Random) -> Tuple[ModelIO, List[np.ndarray], Object]:
    """A file without metadata, and its object; of a kind that cannot be read right, an object that no result has."""
    kind, classes = chance.choice(list(KINDS)), chance.choice((1, 2, 3, 15, 20, 80))
    x1, y1 = chance.uniform(5, 150), chance.uniform(5, 150)
    box = (x1, y1, x1 + chance.uniform(20, 150), y1 + chance.uniform(20, 150))
    there = Object(box, 0 if kind == "pose" else chance.randrange(classes), chance.uniform(0.5, 0.98))
    outputs = [np.ascontiguousarray(table, np.float32) for table in KINDS[kind](there, numbers, classes)]
    named = {f"out{number}": (1, *output.shape) for number, output in enumerate(outputs)}
    io = ModelIO("images", (1, 3, SIDE, SIDE), named)
    return io, outputs, Object(box, -1, 0) if kind in UNREADABLE else there


def missed(there: Object, rows: np.ndarray) -> str:
    """What is wrong with the result; "" if it is the object alone."""
    right = len(rows) == 1 and np.abs(rows[0, :4] - there.xyxy).max() < NEAR
    right = right and abs(rows[0, 4] - there.score) < 0.01 and rows[0, 5] == there.number
    return "" if right else f"{there} is read as {rows.tolist()[:3]}"
