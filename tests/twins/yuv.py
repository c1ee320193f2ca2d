"""The conversion of csrc/yuv.h in numpy, with the same integer arithmetic; its factors are computed here anew."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, List

import numpy as np
from numpy.typing import NDArray

KR_KB = {"bt601": ("0.299", "0.114"), "bt709": ("0.2126", "0.0722")}


def to_bgr(pixels: Any) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR of `types.Pixels`."""
    if pixels.format in ("bgr24", "bgrx"):
        return pixels.planes[0][..., :3].copy()
    if pixels.format == "gray8":
        return np.repeat(pixels.planes[0][..., None], 3, axis=2)
    y, u, v = (plane.astype(np.int64) for plane in samples(pixels))
    kr, kb = map(Fraction, KR_KB[pixels.matrix])
    kg, black = 1 - kr - kb, 0 if pixels.full_range else 16
    luma, chroma = (1, 1) if pixels.full_range else (Fraction(255, 219), Fraction(255, 224))
    blue, red = 2 * (1 - kb) * chroma, 2 * (1 - kr) * chroma
    fy, fbu, fgu, fgv, frv = (round(16384 * f) for f in (luma, blue, blue * kb / kg, red * kr / kg, red))

    def relative(samples: NDArray[np.int64], zero: int, factor: int) -> NDArray[np.int64]:
        return (samples * factor >> 8) - (zero * factor >> 8)

    light = relative(y, black, fy) + 1
    sums = [
        light + relative(u, 128, fbu),
        light - relative(u, 128, fgu) - relative(v, 128, fgv),
        light + relative(v, 128, frv),
    ]
    return np.clip(np.stack(sums, axis=-1) >> 6, 0, 255).astype(np.uint8)


def samples(pixels: Any) -> List[NDArray[np.uint8]]:
    """Y, U and V of every pixel, (H, W) each."""
    first, *rest = pixels.planes
    if pixels.format == "yuyv":
        y, u, v = first[..., ::2].reshape(pixels.height, -1), first[..., 1], first[..., 3]
    elif pixels.format == "nv12":
        y, u, v = first, rest[0][..., 0], rest[0][..., 1]
    else:
        y, u, v = first, *rest
    rows = np.arange(pixels.height) // (2 if pixels.format in ("nv12", "i420") else 1)
    columns = np.arange(pixels.width)
    return [y[:, : pixels.width], u[rows][:, columns // 2], v[rows][:, columns // 2]]
