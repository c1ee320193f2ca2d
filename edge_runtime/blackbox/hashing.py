"""Hashes of pictures and tensors, by which two machines are compared."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.model.spec import ModelSpec
from edge_runtime.native import ops
from edge_runtime.types import Picture
from edge_runtime.types.pixels import Pixels

BYTES = 16  # of a hash


def as_pixels(picture: Picture) -> Pixels:
    """An image (H, W, 3) BGR as pixels; pixels as they are."""
    if isinstance(picture, Pixels):
        return picture
    return Pixels("bgr24", (picture,), picture.shape[1], picture.shape[0])


def hash_pixels(pixels: Pixels) -> str:
    """Of the format, the size and all planes, whatever their strides; 32 hex digits."""
    found = blake2b(f"{pixels.format} {pixels.width}x{pixels.height}".encode(), digest_size=BYTES)
    for plane in pixels.planes:
        found.update(np.ascontiguousarray(plane).reshape(-1).data)
    return found.hexdigest()


def hash_array(array: NDArray[Any]) -> str:
    """Of the bytes of an array of any shape; 32 hex digits."""
    return blake2b(np.ascontiguousarray(array).reshape(-1).data, digest_size=BYTES).hexdigest()


class TensorHash:
    """Hashes what a network is given for a picture. One thread uses it."""

    def __init__(self) -> None:
        self._tensor: Optional[NDArray[np.float32]] = None

    def __call__(self, picture: Picture, spec: ModelSpec) -> str:
        """Prepares the picture as the backends on the host do, and hashes the tensor (3, H, W) float32."""
        width, height = spec.input_wh
        if self._tensor is None or self._tensor.shape != (3, height, width):
            self._tensor = np.empty((3, height, width), np.float32)
        ops.prepare_image(picture, spec, self._tensor)
        return hash_array(self._tensor)
