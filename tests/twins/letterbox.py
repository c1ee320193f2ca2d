"""The letterbox of csrc/letterbox.h in numpy, with the same integer arithmetic and the same roundings."""

from __future__ import annotations

from typing import Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.model.geometry import Letterbox
from edge_runtime.model.spec import ModelSpec

ONE = 128 * 16384  # the sum of a source byte of 1


def letterbox(image: NDArray[np.uint8], spec: ModelSpec, box: Letterbox) -> NDArray[np.float32]:
    """What `ops.preprocess` writes: (3, model_height, model_width) float32, from (H, W, 3) uint8 BGR."""
    model_w, model_h = spec.input_wh
    sums = np.full((model_h, model_w, 3), spec.pad_value * ONE, np.int32)
    sums[box.pad_y : box.pad_y + box.height, box.pad_x : box.pad_x + box.width] = resize(image, box.width, box.height)
    if spec.color == "rgb":
        sums = sums[..., ::-1]
    mean, std = (np.array(triple, np.float32).astype(np.float64) for triple in (spec.mean, spec.std))
    with np.errstate(divide="ignore"):
        scale, bias = (1 / (std * ONE)).astype(np.float32), (-mean / std).astype(np.float32)
    return np.ascontiguousarray((sums.astype(np.float32) * scale + bias).transpose(2, 0, 1))


def resize(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.int32]:
    """Bilinear, (H, W, 3) uint8 to (height, width, 3) int32 in units of 1 / ONE."""
    first, second, rest = taps(height, image.shape[0])
    weight = np.minimum(32767, (rest * 32768 + height) // (2 * height))[:, None, None]
    a, b = image[first].astype(np.int64), image[second].astype(np.int64)
    rows = a * 128 + (((b - a) * 128 * weight + 0x4000) >> 15)
    first, second, rest = taps(width, image.shape[1])
    u1 = ((rest * 16384 + width) // (2 * width))[None, :, None]
    sums = rows[:, first] * (16384 - u1) + rows[:, second] * u1
    return sums.astype(np.int32)


def taps(size: int, source: int) -> Tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Both source pixels of each destination pixel, and the distance from the first in 1 / (2 * size) pixels."""
    position = (2 * np.arange(size, dtype=np.int64) + 1) * source - size
    first, rest = np.divmod(np.clip(position, 0, 2 * size * (source - 1)), 2 * size)
    return first, np.minimum(first + 1, source - 1), rest
