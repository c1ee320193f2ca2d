"""Confirms that a network treats the pictures of a batch alone: on photographs, together and one by one."""

from __future__ import annotations

from contextlib import closing
from typing import Callable, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import Backend
from edge_runtime.errors import ModelError
from edge_runtime.graph.batch import HINT
from edge_runtime.imaging.picture import to_bgr
from edge_runtime.sources.demo import PHOTOS
from edge_runtime.types import Images

NEAR = 0.03  # of a channel's mean difference between two pictures; libraries round otherwise in a batch
TINY = 1e-4  # of its largest value: what is the same for all pictures
NONE = 1e-6  # a score that float16 hardly knows
Outputs = List[NDArray[np.float32]]


def confirm(path: str, backend: Backend, opened_for_one: Callable[[], Backend]) -> None:
    """Runs a full batch of different pictures, and each picture alone. A plan, which has no other form, runs both.

    Args:
        backend: an open model.
        opened_for_one: opens the same ONNX file for one picture at a time.

    Raises:
        ModelError: the outputs differ.
    """
    if backend.batch == 1 or not backend.splits:
        return
    pictures = _pictures(backend.batch)
    together = _outputs(backend, pictures)
    if path.lower().endswith(".onnx"):
        with closing(opened_for_one()) as one:
            alone = [_outputs(one, [picture]) for picture in pictures]
    else:
        alone = [_outputs(backend, [picture]) for picture in pictures]
    for place, found in enumerate(together):
        _compare(path, found, np.concatenate([each[place] for each in alone]))


def _pictures(count: int) -> Images:
    """The photographs that come along, turned and darkened in 24 ways, (H, W, 3) uint8."""
    photos = [to_bgr(path) for path in sorted(PHOTOS.glob("*.jpg"))]
    turned = [photo[::step, ::across] for step in (1, -1) for across in (1, -1) for photo in photos]
    return [np.ascontiguousarray(turned[k % len(turned)] // (1 + k % 3)) for k in range(count)]


def _outputs(backend: Backend, pictures: Images) -> Outputs:
    backend.enqueue(0, pictures)
    backend.wait(0)
    return [output[: len(pictures)].copy() for output in backend.outputs(0)]


def _compare(path: str, together: NDArray[np.float32], alone: NDArray[np.float32]) -> None:
    if np.array_equal(together, alone, equal_nan=True):
        return
    for axis in _channel_axes(alone.shape):
        others = tuple(place for place in range(alone.ndim) if place != axis)
        off = np.abs(together - alone).mean(axis=others, dtype=np.float64)
        apart = np.abs(alone - np.roll(alone, 1, axis=0)).mean(axis=others, dtype=np.float64)
        largest = np.abs(alone).max(axis=others)
        far = np.atleast_1d(~(off <= np.maximum(NEAR * apart, TINY * largest + NONE)))
        if far.any():
            ratios = np.divide(off, apart, out=np.ones_like(off), where=apart > 0)
            percent = 100 * float(np.atleast_1d(ratios)[far].max())
            count = len(alone)
            fact = f"{path} gives other outputs in a batch of {count} than alone: by {percent:.0f} % of their spread"
            raise ModelError(fact, hint=HINT)


def _channel_axes(shape: Tuple[int, ...]) -> Tuple[Optional[int], ...]:
    """Axes along which values differ in kind: boxes in pixels, scores below 1. Rows of a list may change places."""
    if len(shape) < 3:
        return (None,)
    return (1, len(shape) - 1) if len(shape) > 3 else (1 if shape[1] < shape[2] else 2,)
