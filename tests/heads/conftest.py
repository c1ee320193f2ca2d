"""What the tests of heads share: the native decoder behind one call, and plain numpy beside it."""

from __future__ import annotations

from typing import Callable, Sequence, Tuple

import numpy as np
import pytest

from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.geometry import Letterbox
from edge_runtime.model.thresholds import Thresholds

Native = Callable[[DecodeSpec, Sequence[np.ndarray], Tuple[int, int], float, float], np.ndarray]


@pytest.fixture(scope="session")
def native() -> Native:
    """(decode spec, tensors with batch axis, input size, conf, iou) -> (n, 6) rows of the first image, model pixels."""
    pytest.importorskip("edge_runtime.native._core", reason="needs the extension: pip install -e .")
    from edge_runtime.native import ops

    def run(decode, tensors, input_wh, conf, iou):
        thresholds = Thresholds(conf, iou, max_det=2000, multi_label=True)
        decoder = ops.Decoder(decode, [tensor.shape for tensor in tensors])
        frames = np.array([ops.frame_row(Letterbox(1.0, 1.0, 0, 0, *input_wh), input_wh)])
        boxes, counts = np.zeros((1, 2000, 6), np.float32), np.zeros(1, np.int32)
        decoder(list(tensors), frames, thresholds, np.ones(decode.num_classes, np.uint8), boxes, counts)
        return boxes[0, : counts[0]]

    return run


@pytest.fixture(scope="session")
def plain() -> Callable[[np.ndarray, np.ndarray, Tuple[int, int], float, float], np.ndarray]:
    """(boxes, scores, input size, conf, iou) -> (n, 6): threshold, class-aware greedy NMS, clip, no empty boxes."""

    def run(boxes, scores, input_wh, conf, iou):
        box_ids, class_ids = np.nonzero(scores > conf)
        rows = np.column_stack([boxes[box_ids], scores[box_ids, class_ids], class_ids])
        kept = []
        for row in rows[np.argsort(-rows[:, 4], kind="stable")]:
            if all(row[5] != other[5] or overlap(row, other) <= iou for other in kept):
                kept.append(row)
        found = np.array(kept, np.float32).reshape(-1, 6)
        found[:, :4] = np.clip(found[:, :4], 0, input_wh * 2)
        return found[(found[:, 2] > found[:, 0]) & (found[:, 3] > found[:, 1])]

    return run


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    w, h = np.minimum(a[2:4], b[2:4]) - np.maximum(a[:2], b[:2])
    both = max(w, 0) * max(h, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both + 1e-12)


@pytest.fixture(scope="session")
def assert_same() -> Callable[[np.ndarray, np.ndarray], None]:
    """The same rows, in any order of ties: float32 rounding may swap neighbours of almost equal score."""

    def check(got, expected):
        assert got.shape == expected.shape
        apart = np.abs(got[:, None] - expected[None]).max(axis=2)
        nearest = apart.argmin(axis=1)
        assert sorted(nearest) == list(range(len(got))), "each row has its own partner"
        assert apart.min(axis=1).max(initial=0) < 2e-3
        assert np.all(np.diff(got[:, 4]) <= 1e-6), "best first"

    return check
