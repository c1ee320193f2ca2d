"""Reads the pictures that users pass, which are files, arrays or images of Pillow, and writes pictures to files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Protocol, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SourceError, SpecError, UsageError
from edge_runtime.files.atomic import replace_file
from edge_runtime.imaging import image_file
from edge_runtime.imaging.opencv import load_cv2, quiet

IN_A_LOOP = "for a video, a camera or a folder: for result in Pipeline(detector, SOURCE)"


class PillowImage(Protocol):
    """An image of Pillow. Pillow is recognised without importing it."""

    @property
    def mode(self) -> str:
        """Its pixel format, "RGB"."""

    @property
    def size(self) -> Tuple[int, int]:
        """(width, height), pixels."""

    def getbands(self) -> Tuple[str, ...]:
        """Names of its channels."""


Picture = Union[str, "os.PathLike[str]", NDArray[Any], PillowImage]


def to_bgr(picture: Picture) -> NDArray[np.uint8]:
    """Turns a picture of a user into the array that the rest of the package needs.

    Args:
        picture: path of a picture file; uint8 array (H, W, 3) BGR, (H, W) or (H, W, 1) grey, or (H, W, 4) BGRA, whose
            alpha is dropped; image of Pillow, turned upright by its EXIF orientation. 16-bit pictures are scaled.

    Returns:
        (H, W, 3) uint8 BGR with contiguous pixels. If the picture is such an array, it is returned itself.

    Raises:
        SpecError: an array or a Pillow image of another kind, or another type.
        SourceError: a file that cannot be read.
        UsageError: a stream or a folder.
    """
    if isinstance(picture, np.ndarray):
        return _from_array(picture)
    if isinstance(picture, (str, os.PathLike)):
        return _from_file(os.fsdecode(picture))
    if is_pillow(picture):
        return _from_pillow(picture)
    hint = "pass a path, an array (H, W, 3) uint8 BGR, a Pillow image, or a list of these"
    if picture is None:
        hint = "cv2.imread gives None for a file that it cannot read: pass the path itself, and the error says why"
    elif isinstance(picture, int):
        hint = IN_A_LOOP
    raise SpecError(f"image is of type {type(picture).__name__}", hint=hint)


def is_pillow(value: object) -> bool:
    """Whether this is an image of Pillow. If nobody has imported Pillow, it is not."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def picture_path(picture: Picture) -> str:
    """The file that a picture was read from; "" if it has none."""
    if isinstance(picture, (str, os.PathLike)):
        return os.fsdecode(picture)
    return os.fsdecode(getattr(picture, "filename", "") or "") if is_pillow(picture) else ""


def write_picture(path: Union[str, os.PathLike[str]], image: NDArray[np.uint8]) -> None:
    """Writes (H, W, 3) uint8 BGR to a file, completely or not at all. The suffix says the format.

    Raises:
        UsageError: there is no format with that suffix, or the file cannot be written.
        BackendUnavailable: OpenCV cannot be loaded.
    """
    cv2, target = load_cv2(), Path(path)
    try:
        with quiet():
            good, data = cv2.imencode(target.suffix, image)
    except cv2.error:  # no such format
        good, data = False, None
    if not good:
        hint = "end the name in .jpg or .png"
        raise UsageError(f"{str(target)!r} cannot be written: no picture format of that name can store it", hint=hint)
    replace_file(target, data.tobytes())


def _from_array(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        fact = f"image is {image.shape} {image.dtype.name}, expected (H, W, 3) uint8 BGR"
        raise SpecError(fact, hint=_way_to_bgr(image))
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    if image.shape[2] == 3 and image.strides[1:] == (3, 1):
        return image
    return np.ascontiguousarray(image[:, :, :3])


def _way_to_bgr(image: NDArray[Any]) -> str:
    if image.ndim == 4:
        return "a batch is a list: detector(list(images))"
    if image.dtype.kind == "f":
        return "for values 0..1: (image * 255).astype(np.uint8)"
    if image.dtype == np.uint16:
        return "for values of 16 bits: (image >> 8).astype(np.uint8)"
    if image.ndim == 3 and image.shape[0] in (1, 3, 4):
        return "channels come last: image.transpose(1, 2, 0)"
    return "cv2.imread(path) gives that"


def _from_file(path: str) -> NDArray[np.uint8]:
    if "://" in path or path.startswith("gst:"):
        scheme = path.split(":")[0]  # the rest is not shown: it may hold a password
        raise UsageError(f"{scheme}:… is a stream, not a picture file", hint=IN_A_LOOP)
    if os.path.isdir(path):
        raise UsageError(f"{path!r} is a folder, not a picture file", hint=IN_A_LOOP)
    try:
        return image_file.read_image(path)
    except ValueError as error:
        raise SourceError(f"{path!r} {error}", hint=IN_A_LOOP) from error


def _from_pillow(image: Any) -> NDArray[np.uint8]:
    from PIL import ImageOps  # Pillow is installed, because the image is one of its

    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):
            return _from_array(_high_byte(np.asarray(upright)))
        if upright.mode == "F":
            raise ValueError("floats have no fixed range")
        rgb = upright.convert("RGBA" if upright.mode.startswith("P") else "RGB")  # RGB of a palette warns
    except (OSError, SyntaxError, ValueError) as error:
        hint = "image.convert('RGB') gives an image that fits; is the file complete?"
        raise SpecError(f"a Pillow image of mode {image.mode!r} cannot be read: {error}", hint=hint) from error
    return np.ascontiguousarray(np.asarray(rgb)[:, :, 2::-1])


def _high_byte(grey: NDArray[Any]) -> NDArray[np.uint8]:
    """Scales 16 bits to 8, like OpenCV. Pillow's mode "I" has 32 bits, but holds 16 if the file had 16."""
    if grey.size and not 0 <= grey.min() <= grey.max() < 1 << 16:
        raise ValueError("its values are not of 16 bits")
    return (grey >> 8).astype(np.uint8)
