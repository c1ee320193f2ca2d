"""What the makers of golden files share: scalar formulas, and random head tensors."""

from __future__ import annotations

import math
from typing import Callable, Iterator, List, Sequence, Tuple

import numpy as np

from edge_runtime.model.spec import ModelSpec

WH = (64, 32)
Box = Tuple[float, float, float, float]
Candidates = Iterator[Tuple[Box, Sequence[float]]]  # corners and a score per class
Golden = Tuple[ModelSpec, List[np.ndarray], Callable[[List[np.ndarray]], Candidates]]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softmax(values: Sequence[float]) -> List[float]:
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


def around(cx: float, cy: float, w: float, h: float) -> Box:
    return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2


def logits(seed: int, *shapes: Tuple[int, ...]) -> List[np.ndarray]:
    """Random tensors with a batch axis, rounded to half precision to keep the files small."""
    random = np.random.RandomState(seed)
    return [(random.standard_normal((1, *shape)) * 1.5).astype(np.float16).astype(np.float32) for shape in shapes]


def chances(seed: int, *shapes: Tuple[int, ...]) -> List[np.ndarray]:
    """The same with values from 0 to 1."""
    random = np.random.RandomState(seed)
    return [random.uniform(0, 1, (1, *shape)).astype(np.float16).astype(np.float32) for shape in shapes]
