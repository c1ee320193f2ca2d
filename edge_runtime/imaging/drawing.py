"""Draws boxes and labels into an image."""

from __future__ import annotations

import colorsys
from functools import lru_cache
from typing import Any, Optional, Protocol, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SpecError
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.text.escape import printable

Color = Tuple[int, int, int]


class Boxes(Protocol):
    """The boxes to draw: `types.Detections`. That class uses this file, so this file cannot import it.

    Attributes:
        xyxy: (n, 4) float32 `[x1, y1, x2, y2]`, image pixels.
        confidence: (n,) float32.
        class_id: (n,) int32.
        tracker_id: (n,) int32, above 0 for a tracked object; None if nothing tracks.
    """

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    class_id: NDArray[np.int32]
    tracker_id: Optional[NDArray[np.int32]]

    def __len__(self) -> int:
        """Number of boxes."""

    def label(self, index: int) -> str:
        """Class name of one box."""


def draw(image: NDArray[Any], detections: Boxes) -> NDArray[Any]:
    """Draws boxes with id, class name and confidence, in place. Labels cover boxes, confident boxes cover others.

    Args:
        image: (H, W, 3) uint8 BGR, writeable, pixels contiguous within a row.
        detections: boxes in pixels of this image.

    Returns:
        The same array.

    Raises:
        SpecError: the image is not such an array.
        BackendUnavailable: OpenCV cannot be loaded.
    """
    _check_canvas(image)
    worst_first = range(len(detections) - 1, -1, -1)
    for i in worst_first:
        _box(image, detections.xyxy[i], color(int(detections.class_id[i])))
    for i in worst_first:
        text = f"{_number(detections, i)}{printable(detections.label(i))} {detections.confidence[i]:.2f}"
        draw_text(image, detections.xyxy[i], text, color(int(detections.class_id[i])))
    return image


def _number(detections: Boxes, index: int) -> str:
    """`#3 ` for the third object."""
    found = -1 if detections.tracker_id is None else int(detections.tracker_id[index])
    return f"#{found} " if found > 0 else ""


def annotated(
    image: NDArray[np.uint8], detections: Boxes, canvas: Optional[NDArray[np.uint8]] = None
) -> NDArray[np.uint8]:
    """A copy of an (H, W, 3) image with boxes: in `canvas` if its shape fits, else in a new array."""
    if canvas is None or canvas.shape != image.shape:
        canvas = np.empty(image.shape, np.uint8)
    np.copyto(canvas, image)
    return draw(canvas, detections)


def _check_canvas(image: NDArray[Any]) -> None:
    hint = "detections.draw(image) takes any image, and draws into a copy"
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise SpecError("the image to draw into is not an array (H, W, 3) uint8 BGR", hint=hint)
    if image.strides[1:] != (3, 1) or image.strides[0] < 0 or not image.flags.writeable:
        raise SpecError("the image to draw into is read-only, or its pixels are not contiguous", hint=hint)


@lru_cache(maxsize=None)
def color(class_id: int) -> Color:
    """BGR colour of a class: always the same, and far from its neighbours' (golden-ratio steps in the hues)."""
    hue, value = class_id * 0.618034 % 1.0, 1.0 - 0.25 * (class_id // 12 % 2)
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, value)
    return round(255 * blue), round(255 * green), round(255 * red)


def thickness(image: NDArray[np.uint8]) -> int:
    """Width of lines, pixels, in an image (H, W, 3)."""
    return max(1, round(int(min(image.shape[:2])) / 300))


def _box(image: NDArray[np.uint8], xyxy: NDArray[np.float32], bgr: Color) -> None:
    x1, y1, x2, y2 = (round(float(v)) for v in xyxy)
    load_cv2().rectangle(image, (x1, y1), (x2, y2), bgr, thickness(image))


def draw_text(image: NDArray[np.uint8], corner: NDArray[Any], text: str, bgr: Color) -> None:
    """Text on a filled bar above a corner (x, y). The bar is moved back if it would leave the image."""
    cv2 = load_cv2()
    height, width = image.shape[:2]
    scale, weight = max(0.4, min(height, width) / 1100), max(1, thickness(image) // 2)
    (text_w, text_h), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
    bar_w, bar_h = text_w + 4, text_h + below + 2
    x = max(0, min(round(float(corner[0])), width - bar_w))
    y = max(0, min(round(float(corner[1])) - bar_h, height - bar_h))
    cv2.rectangle(image, (x, y), (x + bar_w - 1, y + bar_h - 1), bgr, cv2.FILLED)
    blue, green, red = bgr
    ink = (0, 0, 0) if 0.114 * blue + 0.587 * green + 0.299 * red > 128 else (255, 255, 255)  # Rec. 601 luma
    cv2.putText(image, text, (x + 2, y + text_h + 1), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, weight, cv2.LINE_AA)
