"""Copies of a picture, mirrored, cut or smaller, and the way back for boxes that were found in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.imaging.opencv import load_cv2

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]
CUT, SMALLER, GREY = 0.08, 0.75, 114


@dataclass(frozen=True)
class View:
    """A copy of a picture.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        scale, shift: (x, y); pixels of the picture are pixels of the copy * scale + shift.
        mirrored: whether the copy is then mirrored left to right.
    """

    image: Image
    scale: Tuple[float, float] = (1.0, 1.0)
    shift: Tuple[float, float] = (0.0, 0.0)
    mirrored: bool = False

    def back(self, rows: Floats) -> Floats:
        """Rows (n, 6) `[x1, y1, x2, y2, …]` from pixels of the copy to pixels of the picture."""
        moved = rows.copy()
        if self.mirrored:
            moved[:, [0, 2]] = self.image.shape[1] - rows[:, [2, 0]]
        moved[:, :4] = moved[:, :4] * (self.scale * 2) + self.shift * 2
        return moved


def views(image: Image) -> List[View]:
    """The picture itself, mirrored, without a strip on the left and at the top, and smaller in the lower right corner.

    Args:
        image: (H, W, 3) uint8 BGR.
    """
    return [View(image), _mirrored(image), _cut(image), _smaller(image)]


def _mirrored(image: Image) -> View:
    return View(np.ascontiguousarray(image[:, ::-1]), mirrored=True)


def _cut(image: Image) -> View:
    height, width = image.shape[:2]
    x, y = int(CUT * width), int(CUT * height)
    return View(np.ascontiguousarray(image[y:, x:]), shift=(float(x), float(y)))


def _smaller(image: Image) -> View:
    height, width = image.shape[:2]
    small_w, small_h = max(1, round(SMALLER * width)), max(1, round(SMALLER * height))
    canvas = np.full_like(image, GREY)
    canvas[height - small_h :, width - small_w :] = load_cv2().resize(image, (small_w, small_h), interpolation=3)
    scale = (width / small_w, height / small_h)
    return View(canvas, scale, ((small_w - width) * scale[0], (small_h - height) * scale[1]))
