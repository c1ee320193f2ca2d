"""What holds for the planes of every decoder: their shapes, and the matrix of a stream that states none."""

from __future__ import annotations

from typing import Tuple

HD_LINES = 720


def plane_shapes(form: str, width: int, height: int) -> Tuple[Tuple[int, ...], ...]:
    """The shapes of the planes of a format; see `Pixels`."""
    luma, w, h = (height, width), (width + 1) // 2, (height + 1) // 2
    return {
        "bgr24": ((height, width, 3),),
        "bgrx": ((height, width, 4),),
        "gray8": (luma,),
        "nv12": (luma, (h, w, 2)),
        "i420": (luma, (h, w), (h, w)),
        "yuv422p": (luma, (height, w), (height, w)),
        "yuyv": ((height, w, 4),),
    }[form]


def row_bytes(shape: Tuple[int, ...]) -> int:
    """The bytes of a row of such a plane, without padding."""
    return shape[1] * (shape[2] if len(shape) == 3 else 1)


def usual_matrix(height: int) -> str:
    """The matrix of a stream that states none; see `Pixels`."""
    return "bt709" if height >= HD_LINES else "bt601"
