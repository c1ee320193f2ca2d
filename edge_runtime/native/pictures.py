"""The pictures that the core reads: images, and pixels of other formats. Their layout and their colours."""

from __future__ import annotations

from functools import lru_cache
from typing import Dict, Protocol, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SpecError

LUMA = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}  # Kr and Kb of ITU-R BT.601 and BT.709
ONE = 1 << 14  # a factor of 1; a product with a byte is then shifted right by 8, so its unit is 1 / 64
Shape = Tuple[int, ...]


class Planes(Protocol):
    """What `types.Pixels` has."""

    @property
    def format(self) -> str:
        """Name of the format."""

    @property
    def planes(self) -> Tuple[NDArray[np.uint8], ...]:
        """Its planes, of the shapes in `shapes`: (H, W, 3), (H, W) and so on."""

    @property
    def width(self) -> int:
        """Pixels."""

    @property
    def height(self) -> int:
        """Pixels."""

    @property
    def matrix(self) -> str:
        """Name of the matrix."""

    @property
    def full_range(self) -> bool:
        """Whether luma spans 0..255."""


Picture = Union[NDArray[np.uint8], Planes]


@lru_cache(maxsize=64)
def shapes(width: int, height: int) -> Dict[str, Sequence[Shape]]:
    """Returns the shapes of the planes of each format."""
    full, w, h = (height, width), (width + 1) // 2, (height + 1) // 2
    return {
        "bgr24": [(*full, 3)],
        "bgrx": [(*full, 4)],
        "nv12": [full, (h, w, 2)],
        "i420": [full, (h, w), (h, w)],
        "yuv422p": [full, (height, w), (height, w)],
        "yuyv": [(height, w, 4)],
        "gray8": [full],
    }


@lru_cache(maxsize=64)
def _planes(format: str, width: int, height: int) -> Sequence[Tuple[Shape, Shape]]:
    """Shape of each plane, and its strides but the first."""
    known = shapes(width, height)
    if format not in known:
        raise SpecError(f"no pixel format {format!r}", hint=f"expected one of: {', '.join(known)}")
    if width < 1 or height < 1:
        raise SpecError(f"the picture is {width}x{height}: it has no pixels", hint="skip empty pictures")
    return tuple((shape, (*shape[2:], 1)) for shape in known[format])


def check_pixels(pixels: Planes) -> None:
    """Raises SpecError if planes are not as the format demands, or the format or matrix is unknown."""
    expected = _planes(pixels.format, pixels.width, pixels.height)
    if pixels.matrix not in LUMA:
        raise SpecError(f"no colour matrix {pixels.matrix!r}", hint=f"expected one of: {', '.join(LUMA)}")
    if len(pixels.planes) != len(expected):
        raise SpecError(f"{pixels.format} with {len(pixels.planes)} planes", hint=f"expected {len(expected)}")
    for number, (plane, (shape, strides)) in enumerate(zip(pixels.planes, expected)):
        if not isinstance(plane, np.ndarray) or plane.dtype != np.uint8 or plane.shape != shape:
            fact = f"plane {number} of {pixels.format} is {described(plane)}, expected {shape} uint8"
            raise SpecError(fact, hint="pass views of the decoder's memory")
        if plane.strides[1:] != strides:
            fact = f"plane {number} of {pixels.format} is not contiguous within a row"
            raise SpecError(fact, hint="pass np.ascontiguousarray(plane)")


def size_of(picture: Picture) -> Tuple[int, int]:
    """Returns (width, height), pixels."""
    if isinstance(picture, np.ndarray):
        return picture.shape[1], picture.shape[0]
    return picture.width, picture.height


def planes_of(picture: Picture) -> Sequence[NDArray[np.uint8]]:
    """Returns the arrays that hold a picture: (H, W, 3), or the planes of pixels."""
    return (picture,) if isinstance(picture, np.ndarray) else picture.planes


def check_picture(picture: Picture) -> None:
    """Raises SpecError if it is neither an image as `check_image` wants it nor pixels as `check_pixels` wants them."""
    if hasattr(picture, "planes"):
        check_pixels(picture)  # type: ignore[arg-type]
    else:
        check_image(picture)


def check_image(image: NDArray[np.uint8]) -> None:
    """Raises SpecError if the array is not (H, W, 3) uint8 with at least one pixel and contiguous pixels."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise SpecError(
            f"image is {described(image)}, expected (H, W, 3) uint8 BGR",
            hint="cv2.imread(path) returns such an image; convert grey, alpha and 16-bit images first",
        )
    if image.shape[0] < 1 or image.shape[1] < 1:
        raise SpecError(f"image is {described(image)}: it has no pixels", hint="skip empty images")
    if image.strides[2] != 1 or image.strides[1] != 3:
        raise SpecError("image pixels are not contiguous within a row", hint="pass np.ascontiguousarray(image)")


def described(value: object) -> str:
    """Returns shape and dtype of an array, or the type of anything else."""
    return f"{value.shape} {value.dtype.name}" if isinstance(value, np.ndarray) else type(value).__name__


@lru_cache(maxsize=None)
def colour(format: str, matrix: str, full_range: bool) -> Tuple[int, ...]:
    """Returns the factors y, bu, gu, gv, rv in 1 / `ONE` and the offsets b, g, r in 1 / 64, as csrc/yuv.h uses them.

    The offsets are such that black is 0 and white is 255, and that whole numbers do not become less by the shifts.
    """
    if format == "gray8":
        return (ONE, 0, 0, 0, 0, 0, 0, 0)
    kr, kb = LUMA[matrix]
    black, luma, chroma = (0, 1.0, 1.0) if full_range else (16, 255 / 219, 255 / 224)
    blue, red, kg = 2 * (1 - kb) * chroma, 2 * (1 - kr) * chroma, 1 - kr - kb
    y, bu, gu, gv, rv = (round(ONE * factor) for factor in (luma, blue, blue * kb / kg, red * kr / kg, red))
    dark, grey = y * black >> 8, [factor * 128 >> 8 for factor in (bu, gu, gv, rv)]
    return (y, bu, gu, gv, rv, dark + grey[0] - 1, grey[1] + grey[2] - dark + 1, dark + grey[3] - 1)
