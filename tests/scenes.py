"""Random head tensors, run through the native decoder and through its numpy twin."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops
from edge_runtime.prove.scenes import Floats
from edge_runtime.prove.scenes import scene as scene
from tests.twins.decode import decode

LAYOUTS = ("planar", "rows", "anchors_inner", "separate")
PLAIN_FRAME = (1.0, 1.0, 0, 0, 64, 48)
COUNTS = (0, 1, 3, 3.2, 39, 40, 99, float("nan"), float("inf"), -1)
LETTERBOX_FRAME = (0.5, 0.75, 3, -2, 100, 50)


def numbered(kept: float, seed: int = 0) -> Tuple[DecodeSpec, List[Floats]]:
    """Finished candidates of four outputs: boxes, class numbers 1 to 4 of which three are known, scores, the count."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 20, (1, 40, 2))
    boxes = np.concatenate([corner, corner + random.uniform(5, 30, (1, 40, 2))], axis=2).astype(np.float32)
    numbers, scores = random.integers(0, 5, (1, 40)), random.uniform(0, 1, (1, 40))
    tensors = [boxes, numbers.astype(np.float32), scores.astype(np.float32), np.array([[kept]], np.float32)]
    level = Level((40, 1), View(0, 0, 0, 4, 1), View(2, 0, 0, 1, 0), class_id=View(1, 0, 0, 1, 0),
                  count=View(3, 0, 0, 0, 0))  # fmt: skip
    return DecodeSpec("xyxy", (level,), num_classes=3, first_class=1, nms=False), tensors


def run(
    spec: DecodeSpec,
    tensors: Sequence[Floats],
    limits: Thresholds,
    frame: Sequence[float] = PLAIN_FRAME,
    mask: Optional[Sequence[int]] = None,
    decoder: Optional[ops.Decoder] = None,
) -> List[Floats]:
    """Rows of each image, native."""
    batch = len(tensors[0])
    boxes, counts = np.full((batch, limits.max_det, 6), np.nan, np.float32), np.full(batch, -1, np.int32)
    decoder = decoder or ops.Decoder(spec, [tensor.shape for tensor in tensors])
    decoder(tensors, np.array([frame] * batch, np.float64), limits, as_mask(spec, mask), boxes, counts)
    return [boxes[image, : counts[image]] for image in range(batch)]


def twin(
    spec: DecodeSpec,
    tensors: Sequence[Floats],
    limits: Thresholds,
    frame: Sequence[float] = PLAIN_FRAME,
    mask: Optional[Sequence[int]] = None,
) -> List[Floats]:
    """Rows of each image, numpy."""
    images = [[tensor[image] for tensor in tensors] for image in range(len(tensors[0]))]
    return [decode(spec, image, frame, limits, as_mask(spec, mask)) for image in images]


def as_mask(spec: DecodeSpec, mask: Optional[Sequence[int]]) -> NDArray[np.uint8]:
    return np.ones(spec.num_classes, np.uint8) if mask is None else np.array(mask, np.uint8)


def assert_same(got: List[Floats], want: List[Floats]) -> None:
    """The same rows, best first; neighbours whose scores differ by rounding only may have changed places."""
    assert [len(rows) for rows in got] == [len(rows) for rows in want]
    for got_rows, want_rows in zip(got, want):
        assert np.all(np.diff(got_rows[:, 4]) <= 0)
        free = np.ones(len(got_rows), bool)
        for row in want_rows:
            first, last = np.searchsorted(-got_rows[:, 4], [-row[4] - 1e-5, -row[4] + 1e-5])
            close = np.abs(got_rows[first:last] - row) <= [1e-3, 1e-3, 1e-3, 1e-3, 1e-5, 0]
            same = np.flatnonzero(close.all(axis=1) & free[first:last])
            assert len(same), f"{row} is missing"
            free[first + same[0]] = False
