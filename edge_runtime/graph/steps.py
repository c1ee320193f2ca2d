"""What QuantizeLinear and DequantizeLinear compute, for constants."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
Floats = NDArray[np.float32]


def dequantised(value: Array, scale: Array, zero: Optional[Array], axis: int) -> Floats:
    """Returns (value - zero) * scale, of any shape, that of `value`.

    Args:
        scale, zero: () for all values, or (n,) along the axis.
    """
    shape = _along(scale, axis, value.ndim)
    middle = 0.0 if zero is None else zero.astype(np.float64).reshape(shape)
    floats: Floats = ((value.astype(np.float64) - middle) * scale.astype(np.float64).reshape(shape)).astype(np.float32)
    return floats


def quantised(value: Array, scale: Array, zero: Optional[Array], axis: int) -> Array:
    """Returns value / scale + zero, of any shape, that of `value`.

    It is rounded to the nearest, half to even, and ends where the zero's type ends.
    """
    shape, kind = _along(scale, axis, value.ndim), np.dtype(np.uint8) if zero is None else zero.dtype
    middle = 0.0 if zero is None else zero.astype(np.float64).reshape(shape)
    limits = np.iinfo(str(kind))
    steps = np.round(value.astype(np.float32) / scale.astype(np.float32).reshape(shape)).astype(np.float64) + middle
    rounded: Array = np.clip(steps, limits.min, limits.max).astype(kind)
    return rounded


def _along(scale: Array, axis: int, ndim: int) -> Sequence[int]:
    axis = axis % ndim if ndim else 0
    return [-1 if k == axis and scale.size > 1 else 1 for k in range(ndim)]


def step_and_zero(limits: Tuple[float, float], signed: bool) -> Tuple[NDArray[np.float32], NDArray[np.generic]]:
    """Returns the step and the zero point, both of shape (), of a range; `signed`: symmetric, for int8, else uint8."""
    low, high = limits
    if signed:
        return np.array(max(-low, high) / 127, np.float32), np.array(0, np.int8)
    step = (high - low) / 255
    return np.array(step, np.float32), np.array(np.clip(round(-low / step), 0, 255), np.uint8)
