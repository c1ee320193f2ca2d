"""Fits an image into a model's input, and maps boxes from the model's pixels back to the image's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Tuple

import numpy as np
from numpy.typing import NDArray

RESIZE_MODES = ("letterbox", "letterbox_topleft", "stretch")


@dataclass(frozen=True)
class Letterbox:
    """Where an image lies inside a model's input: model_px = image_px * scale + pad.

    Attributes:
        scale_x, scale_y: model pixels per image pixel; exactly width / image width and height / image height.
        pad_x, pad_y: integer model pixels left of and above the image.
        width, height: size of the resized image in model pixels, without the padding.
    """

    scale_x: float
    scale_y: float
    pad_x: int
    pad_y: int
    width: int
    height: int

    def apply(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (n, 4) `[x1, y1, x2, y2]` from image pixels to model pixels."""
        return (xyxy * self._scale() + self._pad()).astype(np.float32)

    def undo(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (n, 4) `[x1, y1, x2, y2]` from model pixels to image pixels, not clipped."""
        return ((xyxy - self._pad()) / self._scale()).astype(np.float32)

    def _scale(self) -> NDArray[np.float64]:
        return np.array([self.scale_x, self.scale_y] * 2)

    def _pad(self) -> NDArray[np.float64]:
        return np.array([self.pad_x, self.pad_y] * 2, np.float64)


@lru_cache(maxsize=256)
def fit(image_wh: Tuple[int, int], model_wh: Tuple[int, int], resize: str = "letterbox") -> Letterbox:
    """Computes where an image lies in a model's input.

    Args:
        image_wh: (width, height) of the image, both at least 1.
        model_wh: (width, height) of the model's input.
        resize: "letterbox" keeps the aspect ratio and centres the image; of an odd padding the smaller half is left
            and above, as Ultralytics does. "letterbox_topleft" keeps the aspect ratio and pads right and below (YOLOX,
            EfficientDet). "stretch" fills the input (SSD, Darknet).

    Returns:
        The placement. Sides are rounded, halves up, and are at least one pixel.
    """
    (image_w, image_h), (model_w, model_h) = image_wh, model_wh
    width, height = model_w, model_h
    if resize != "stretch":
        if model_w * image_h <= model_h * image_w:
            height = max(1, (2 * image_h * model_w + image_w) // (2 * image_w))
        else:
            width = max(1, (2 * image_w * model_h + image_h) // (2 * image_h))
    centred = resize == "letterbox"
    pad_x = (model_w - width) // 2 if centred else 0
    pad_y = (model_h - height) // 2 if centred else 0
    return Letterbox(width / image_w, height / image_h, pad_x, pad_y, width, height)
