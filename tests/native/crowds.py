"""Candidates of one image in many arrangements, for the kernel that suppresses, and what it must leave of them."""

from __future__ import annotations

import ctypes
from typing import Callable, Dict, NamedTuple, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.gpu import packing
from tests.native import kernels
from tests.twins import decode

Floats = NDArray[np.float32]
CANDIDATE = np.dtype([("key", np.uint64), ("box", np.float32, 4)])
CONF, PLACES, MOST = np.float32(0.05), 400, 30_000
FRAME = (1.0, 1.0, 50.0, 20.0, 900.0, 900.0)


class Crowd(NamedTuple):
    """Scores (n,) float32, boxes (n, 4) float32 xyxy in model pixels, and numbers (n,) of box and class."""

    scores: Floats
    boxes: Floats
    numbers: NDArray[np.uint32]
    classes: int

    def candidates(self) -> NDArray[np.void]:
        """As the kernels before write them."""
        out = np.zeros(len(self.scores), CANDIDATE)
        out["key"] = self.scores.view(np.uint32).astype(np.uint64) << np.uint64(32)
        out["key"] |= np.uint64(0xFFFFFFFF) - self.numbers
        out["box"] = self.boxes
        return out


def crowd(kind: str, count: int, classes: int = 1, seed: int = 0) -> Crowd:
    """A crowd of one of `KINDS`, in no order."""
    random = np.random.default_rng(seed)
    start, size = random.uniform(-50, 1000, (count, 2)), random.uniform(5, 90, (count, 2))
    arrays = {"scores": random.uniform(CONF + 0.01, 1, count), "boxes": np.concatenate([start, start + size], axis=1)}
    KINDS[kind](arrays, random)
    order, numbers = random.permutation(count), random.permutation(count * classes)[:count].astype(np.uint32)
    scores, boxes = (arrays[name].astype(np.float32)[order] for name in ("scores", "boxes"))
    return Crowd(scores, boxes, numbers, classes)


def _objects(arrays: Dict[str, NDArray[np.float64]], random: np.random.Generator, in_turn: bool = False) -> None:
    """The boxes of so many objects; `in_turn`: all boxes of one score higher than all of the next."""
    count = len(arrays["scores"])
    which = random.integers(0, PLACES, count)
    if in_turn:
        which, arrays["scores"] = np.sort(which), -np.sort(-arrays["scores"])
    centre = np.stack([which % 20, which // 20], axis=1) * 50 + random.normal(0, 2, (count, 2))
    arrays["boxes"] = np.concatenate([centre - 20, centre + 20], axis=1)


def _broken(arrays: Dict[str, NDArray[np.float64]], random: np.random.Generator) -> None:
    boxes = arrays["boxes"]
    boxes[::3, 1], boxes[1::7, 2], boxes[2::11, :2] = np.nan, np.inf, -1e30


def _empty(arrays: Dict[str, NDArray[np.float64]], random: np.random.Generator) -> None:
    boxes = arrays["boxes"]
    boxes[::2, 2:], boxes[1::3, 2] = boxes[::2, :2], boxes[1::3, 0] - 3


KINDS: Dict[str, Callable[[Dict[str, NDArray[np.float64]], np.random.Generator], None]] = {
    "anywhere": lambda arrays, random: None,
    "of few scores": lambda arrays, random: arrays.update(scores=np.round(arrays["scores"] * 8 + 1) / 10),
    "of one score": lambda arrays, random: arrays.update(scores=np.full_like(arrays["scores"], 0.5)),
    "of high scores": lambda arrays, random: arrays.update(scores=arrays["scores"] * 1e6),
    "all the same": lambda arrays, random: arrays.update(boxes=np.ones_like(arrays["boxes"]) * [400, 400, 450, 470]),
    "of objects": _objects,
    "of objects in turn": lambda arrays, random: _objects(arrays, random, in_turn=True),
    "not finite": _broken,
    "without area": _empty,
}  # fmt: skip


def suppressed(
    given: Crowd,
    iou: float,
    max_det: int,
    nms: bool = True,
    threads: int = 64,
    library: Optional[ctypes.CDLL] = None,
) -> Tuple[Floats, int]:
    """The kernel's rows (n, 6), and how often the threads of its block met."""
    lib = library or kernels.library()
    words, numbers = np.zeros(13, np.int64), np.zeros(10, np.float32)
    words[4], words[8], words[10] = given.classes, nms, max_det
    numbers[:2] = CONF, iou
    candidates, count = given.candidates(), np.array([len(given.scores)], np.int32)
    frames, rows, found = np.array([FRAME]), np.full((max_det, 6), np.nan, np.float32), np.full(1, -1, np.int32)
    assert candidates.itemsize == packing.CANDIDATE_BYTES
    lib.host_rounds()
    lib.host_suppress(
        *(ctypes.c_void_p(array.ctypes.data) for array in (words, numbers, candidates)), len(candidates),
        *(ctypes.c_void_p(array.ctypes.data) for array in (count, frames, rows, found)), 1, threads,
    )  # fmt: skip
    return rows[: found[0]], lib.host_rounds()


def kept(given: Crowd, iou: float, max_det: int, nms: bool = True) -> NDArray[np.intp]:
    """Indices of the candidates that greedy NMS keeps, best first."""
    order = np.lexsort((given.numbers, -given.scores))[:MOST]
    left = order[np.isfinite(given.boxes[order]).all(axis=1)]
    found = []
    with np.errstate(all="ignore"):  # an area may be infinite
        while nms and len(left) and len(found) < max_det:
            found.append(left[0])
            left = left[1:][~_overlapping(given, left[0], left[1:], iou)]
    return np.array(found if nms else left[:max_det], np.intp)


def _overlapping(given: Crowd, one: int, others: NDArray[np.intp], iou: float) -> NDArray[np.bool_]:
    box, boxes, classes = given.boxes[one], given.boxes[others], given.numbers % np.uint32(given.classes)
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    inter, area = np.maximum(sides, 0).prod(axis=1), np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1)
    union = np.maximum(box[2:] - box[:2], 0).prod() + area - inter
    overlap: NDArray[np.bool_] = (inter > np.float32(iou) * union) & (classes[others] == classes[one])
    return overlap


def expected(given: Crowd, iou: float, max_det: int, nms: bool = True) -> Floats:
    """The rows by numpy alone."""
    found = kept(given, iou, max_det, nms)
    image, scores = decode.undo(given.boxes[found], FRAME), given.scores[found]
    shown = np.where((scores > 1) & (scores <= 2), 1, scores)
    rows = np.column_stack([image, shown, given.numbers[found] % np.uint32(given.classes)])
    return rows[(image[:, 2] > image[:, 0]) & (image[:, 3] > image[:, 1])].astype(np.float32)
