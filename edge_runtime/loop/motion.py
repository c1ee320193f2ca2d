"""Whether something moves in the frames of one source: a small grey picture against a running background."""

from __future__ import annotations

from math import exp
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.types import Frame
from edge_runtime.types.pixels import Pixels

Floats = NDArray[np.float32]
LINES = 180  # lines of the frame that are looked at, about; as many columns as have the same distance
CELL = 4  # a cell is the mean of 4 x 4 of these pixels: its noise is a quarter of theirs
MEMORY_S = 0.5  # the background follows the picture with this time constant: where an object was, it soon is right
NOISES = 6.0  # a cell has moved if it differs by this many times the noise of the picture's cells,
LEAST = 4.0  # and at least by this, of 255,
MOST = 16.0  # and whatever the noise, if it differs by more than this


class Motion:
    """Compares each frame with the background. One thread calls it.

    A change of the whole picture (exposure, slow light) is taken out first: the median of all differences. Noise is
    measured in each frame by the median of the distances from it. Neither counts as motion.
    """

    def __init__(self) -> None:
        self._background: Optional[Floats] = None
        self._time_s, self._restarts = 0.0, 0

    def seen(self, frame: Frame, restarts: int = 0) -> bool:
        """Takes the next frame. True if something moved, or if there is nothing to compare it with."""
        cells, before = small(frame), self._background
        passed_s, goes_on = frame.timestamp_s - self._time_s, restarts == self._restarts
        self._time_s, self._restarts = frame.timestamp_s, restarts
        if before is None or before.shape != cells.shape or passed_s < 0 or not goes_on:
            self._background = cells
            return True
        difference = cells - before
        before += difference * np.float32(1 - exp(-passed_s / MEMORY_S))
        return moved(difference)


def moved(difference: Floats) -> bool:
    """Whether a cell stands out of the differences (h, w), in grey levels."""
    distance = np.abs(difference - np.median(difference))
    noise = 1.4826 * float(np.median(distance))  # the standard deviation, if less than half of the cells move
    return bool(distance.max() > min(max(LEAST, NOISES * noise), MOST))


def small(frame: Frame) -> Floats:
    """The frame's cells, (h, w) grey in 0..255."""
    luma = _luma(frame)
    step = max(1, luma.shape[0] // LINES)
    thin = luma[::step, ::step]
    cell = min(CELL, *thin.shape)
    height, width = thin.shape[0] // cell, thin.shape[1] // cell
    rows = thin[: height * cell, : width * cell].reshape(height, cell, width * cell).sum(axis=1, dtype=np.uint16)
    cells: Floats = rows.reshape(height, width, cell).sum(axis=2, dtype=np.uint32).astype(np.float32) / cell**2
    return cells


def _luma(frame: Frame) -> NDArray[np.uint8]:
    """(H, W) luma of the pixels if there are some, else the green of the image. Nothing is copied."""
    if frame.pixels is None:
        return frame.image[..., 1]
    return _plane(frame.pixels)


def _plane(pixels: Pixels) -> NDArray[np.uint8]:
    first = pixels.planes[0]
    if pixels.format == "yuyv":
        return first.reshape(*first.shape[:2], 2, 2)[..., 0].reshape(first.shape[0], -1)
    return first[..., 1] if first.ndim == 3 else first
