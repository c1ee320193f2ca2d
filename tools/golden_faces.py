"""Makers of golden files of face detectors and of Yolo-FastestV2: scalar loops straight from their formulas."""

from __future__ import annotations

import math
from typing import Iterator, List, Sequence, Tuple

import numpy as np
from golden_parts import WH, Candidates, Golden, around, chances, logits, sigmoid, softmax

from edge_runtime.model.spec import ModelSpec

FACE_ANCHORS = [[4, 5, 8, 10, 13, 16], [23, 29, 43, 55, 73, 105], [146, 217, 231, 300, 335, 433]]
V2_ANCHORS = [[12.64, 19.39, 37.88, 51.48, 55.71, 138.31], [126.91, 78.23, 131.57, 214.55, 279.92, 258.87]]


def cells(wide: int, high: int) -> Iterator[Tuple[int, int]]:
    for y in range(high):
        for x in range(wide):
            yield x, y


def sides(x: float, y: float, t: Sequence[float], stride: int) -> Tuple[float, float, float, float]:
    return x - t[0] * stride, y - t[1] * stride, x + t[2] * stride, y + t[3] * stride


def scrfd() -> Golden:
    """Rows by cell, then by anchor; distances from the first corner of the cell."""

    def walk(outputs: List[np.ndarray]) -> Candidates:
        for level, stride in enumerate((8, 16, 32)):
            row = 0
            for x, y in cells(64 // stride, 32 // stride):
                for _ in range(2):
                    t = outputs[3 + level][0, row].tolist()
                    yield sides(x * stride, y * stride, t, stride), outputs[level][0, row].tolist()
                    row += 1

    counts = (64, 16, 4)
    outputs = chances(21, *((n, 1) for n in counts)) + logits(21, *((n, k) for k in (4, 10) for n in counts))
    return ModelSpec("scrfd", WH, ("face",)), outputs, walk


def scrfd_maps() -> Golden:
    """Maps by anchor, then by channel; scores that are not activated."""

    def walk(outputs: List[np.ndarray]) -> Candidates:
        for level, stride in enumerate((8, 16, 32)):
            for x, y in cells(64 // stride, 32 // stride):
                for a in range(2):
                    t = [float(outputs[3 + level][0, 4 * a + k, y, x]) for k in range(4)]
                    yield sides(x * stride, y * stride, t, stride), [sigmoid(float(outputs[level][0, a, y, x]))]

    maps = [(k, 32 // stride, 64 // stride) for k in (2, 8) for stride in (8, 16, 32)]
    return ModelSpec("scrfd", WH, ("face",), head_layout=("sigmoid",)), logits(22, *maps), walk


def yunet() -> Golden:
    def walk(outputs: List[np.ndarray]) -> Candidates:
        for level, stride in enumerate((8, 16, 32)):
            for row, (x, y) in enumerate(cells(64 // stride, 32 // stride)):
                t = outputs[6 + level][0, row].tolist()
                one = math.sqrt(float(outputs[level][0, row, 0]) * float(outputs[3 + level][0, row, 0]))
                yield around((x + t[0]) * stride, (y + t[1]) * stride, math.exp(t[2]) * stride,
                             math.exp(t[3]) * stride), [one]  # fmt: skip

    counts = (32, 8, 2)
    outputs = chances(23, *((n, 1) for _ in range(2) for n in counts))
    return ModelSpec("yunet", WH, ("face",)), outputs + logits(23, *((n, k) for k in (4, 10) for n in counts)), walk


def moved(t: np.ndarray, cx: float, cy: float, w: float, h: float) -> Tuple[float, float, float, float]:
    """A box beside a prior, with the variances 0.1 and 0.2."""
    dx, dy, dw, dh = (float(v) for v in t)
    return around(cx + dx * 0.1 * w, cy + dy * 0.1 * h, w * math.exp(dw * 0.2), h * math.exp(dh * 0.2))


def retinaface() -> Golden:
    """Sides that no stride divides: a cell is one stride wide, also the last one."""
    wide, high = 70, 45

    def walk(outputs: List[np.ndarray]) -> Candidates:
        row = 0
        for stride, sizes in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
            for x, y in cells(math.ceil(wide / stride), math.ceil(high / stride)):
                for size in sizes:
                    box = moved(outputs[0][0, row], (x + 0.5) * stride, (y + 0.5) * stride, size, size)
                    yield box, softmax(outputs[1][0, row].tolist())[1:]
                    row += 1

    count = 2 * (9 * 6 + 5 * 3 + 3 * 2)
    spec = ModelSpec("retinaface", (wide, high), ("face",), head_layout=("softmax",))
    return spec, logits(24, (count, 4), (count, 2), (count, 10)), walk


def ultraface_raw() -> Golden:
    """The picture is divided evenly among the cells, and no prior is larger than it."""
    wide, high = 70, 45
    levels = ((9, 6, (10, 16, 24)), (5, 3, (32, 48)), (3, 2, (64, 96)), (2, 1, (128, 192, 256)))

    def walk(outputs: List[np.ndarray]) -> Candidates:
        row = 0
        for columns, rows, sizes in levels:
            for x, y in cells(columns, rows):
                for size in sizes:
                    w, h = min(1.0, size / wide) * wide, min(1.0, size / high) * high
                    box = moved(outputs[1][0, row], (x + 0.5) / columns * wide, (y + 0.5) / rows * high, w, h)
                    yield box, outputs[0][0, row].tolist()[1:]
                    row += 1

    count = sum(columns * rows * len(sizes) for columns, rows, sizes in levels)
    spec = ModelSpec("ultraface_raw", (wide, high), ("face",))
    return spec, chances(25, (count, 2)) + logits(25, (count, 4)), walk


def blazeface() -> Golden:
    def walk(outputs: List[np.ndarray]) -> Candidates:
        row = 0
        for stride, count in ((8, 2), (16, 6)):
            for x, y in cells(64 // stride, 32 // stride):
                for _ in range(count):
                    t = outputs[0][0, row].tolist()
                    box = around((x + 0.5) * stride + t[0], (y + 0.5) * stride + t[1], t[2], t[3])
                    yield box, [sigmoid(float(outputs[1][0, row, 0]))]
                    row += 1

    rows = 32 * 2 + 8 * 6
    boxes, scores = logits(26, (rows, 16), (rows, 1))
    return ModelSpec("blazeface", WH, ("face",)), [boxes * np.float32(8), scores], walk


def yolo_v5_face_raw() -> Golden:
    def walk(outputs: List[np.ndarray]) -> Candidates:
        for output, stride, flat in zip(outputs, (8, 16, 32), FACE_ANCHORS):
            for x, y in cells(64 // stride, 32 // stride):
                for a in range(3):
                    t = [sigmoid(float(v)) for v in output[0, a, y, x]]
                    w, h = flat[2 * a] * (2 * t[2]) ** 2, flat[2 * a + 1] * (2 * t[3]) ** 2
                    box = around((2 * t[0] - 0.5 + x) * stride, (2 * t[1] - 0.5 + y) * stride, w, h)
                    yield box, [t[4] * t[15]]

    maps = [(3, 32 // stride, 64 // stride, 16) for stride in (8, 16, 32)]
    return ModelSpec("yolo_v5_face", WH, ("face",)), logits(27, *maps), walk


def yolo_fastestv2_raw() -> Golden:
    def walk(outputs: List[np.ndarray]) -> Candidates:
        for level, (stride, flat) in enumerate(zip((16, 32), V2_ANCHORS)):
            reg, obj, ranks = (output[0] for output in outputs[3 * level : 3 * level + 3])
            for x, y in cells(64 // stride, 32 // stride):
                chance = softmax([float(v) for v in ranks[:, y, x]])
                for a in range(3):
                    t = [sigmoid(float(reg[4 * a + k, y, x])) for k in range(4)]
                    w, h = flat[2 * a] * (2 * t[2]) ** 2, flat[2 * a + 1] * (2 * t[3]) ** 2
                    box = around((2 * t[0] - 0.5 + x) * stride, (2 * t[1] - 0.5 + y) * stride, w, h)
                    yield box, [sigmoid(float(obj[a, y, x])) * p for p in chance]

    maps = [(k, 32 // stride, 64 // stride) for stride in (16, 32) for k in (12, 3, 5)]
    return ModelSpec("yolo_fastestv2", WH, tuple("abcde")), logits(28, *maps), walk


MAKERS = (
    scrfd, scrfd_maps, yunet, retinaface, ultraface_raw, blazeface, yolo_v5_face_raw, yolo_fastestv2_raw
)  # fmt: skip
