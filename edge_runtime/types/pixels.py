"""A picture in the form in which a decoder or a camera gives it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.native import ops


@dataclass(frozen=True)
class Pixels:
    """A picture as a decoder or a camera gives it.

    If a stream does not state its matrix, it is the one with which its library converts to BGR: bt601 in FFmpeg
    (swscale) and so in OpenCV, and in GStreamer bt709 from 577 lines on. The range is then limited. JPEG pictures have
    the full range and bt601 (JFIF 1.02).

    Attributes:
        format: one of bgr24, bgrx, nv12, i420, yuv422p, yuyv, gray8.
        planes: uint8 views of the decoder's memory with its strides, not copies. With h = ceil(height / 2) and
            w = ceil(width / 2): bgr24 ((H, W, 3),), bgrx ((H, W, 4),), gray8 ((H, W),), nv12 ((H, W), (h, w, 2)),
            i420 ((H, W), (h, w), (h, w)), yuv422p ((H, W), (H, w), (H, w)), yuyv ((H, w, 4),).
        width: pixels.
        height: pixels.
        matrix: "bt601" or "bt709".
        full_range: whether luma spans 0..255. Else it spans 16..235. gray8 always has the full range, as in swscale.
    """

    format: str
    planes: Tuple[NDArray[np.uint8], ...]
    width: int
    height: int
    matrix: str = "bt601"
    full_range: bool = False

    def bgr(self, out: Optional[NDArray[np.uint8]] = None) -> NDArray[np.uint8]:
        """Returns the picture as (H, W, 3) uint8 BGR: in `out` if it has this shape, else in a new array.

        The letterbox of this image and that of the pixels are equal to the bit; csrc/yuv.h has the formula.

        Raises:
            SpecError: a plane has another shape, dtype or layout, or the format or matrix is unknown.
        """
        shape = (self.height, self.width, 3)
        if out is None or out.shape != shape or not out.flags.c_contiguous or not out.flags.writeable:
            out = np.empty(shape, np.uint8)
        ops.to_bgr(self, out)
        return out

    def crop(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """A copy of a part. The first two are moved to even numbers, because colours are those of two by two pixels.

        Args:
            left, top, right, bottom: pixels, in the picture. The last two are behind the part.
        """
        left, top = left // 2 * 2, top // 2 * 2
        planes = []
        for plane in self.planes:
            down, across = (1 if plane.shape[0] == self.height else 2), (1 if plane.shape[1] == self.width else 2)
            planes.append(plane[top // down : -(-bottom // down), left // across : -(-right // across)].copy())
        return replace(self, planes=tuple(planes), width=right - left, height=bottom - top)
