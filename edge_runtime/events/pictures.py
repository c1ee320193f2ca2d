"""The best picture of an object: which frame shows it best, the part of the frame, the JPEG file."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from edge_runtime.events.options import EventOptions
from edge_runtime.imaging.opencv import load_cv2, resize
from edge_runtime.types import Frame, Picture, Pixels

Box = Tuple[float, float, float, float]
BORDER = 1.0  # pixels; a box that comes so near to the border may be cut off there
CUT = 0.25  # what a box counts that the border cuts off


def score(box: Box, confidence: float, image_wh: Tuple[int, int]) -> float:
    """How well a frame shows an object: its confidence by its share of the image; less if the border cuts it off.

    Args:
        box: `(x1, y1, x2, y2)`, image pixels.
        confidence: 0..1.
        image_wh: (width, height) of the image, pixels.
    """
    (x1, y1, x2, y2), (width, height) = box, image_wh
    cut = x1 < BORDER or y1 < BORDER or x2 > width - BORDER or y2 > height - BORDER
    return confidence * (x2 - x1) * (y2 - y1) / (width * height) * (CUT if cut else 1.0)


def cut_out(frame: Frame, box: Box, margin: float) -> Picture:
    """A copy of the part of a frame that shows an object, so that the frame itself need not be kept.

    Args:
        box: `(x1, y1, x2, y2)`, image pixels.
        margin: what is shown around it, as a share of its longest side.
    """
    (x1, y1, x2, y2), (width, height) = box, frame.image_wh
    around = margin * max(x2 - x1, y2 - y1)
    left, top = (int(min(max(0, low - around), side - 1)) for low, side in ((x1, width), (y1, height)))
    right, low = int(min(width, x2 + around)), int(min(height, y2 + around))
    right, low = max(right, left + 1), max(low, top + 1)
    if frame.pixels is not None:
        return frame.pixels.crop(left, top, right, low)
    return frame.image[top:low, left:right].copy()


def size_of(picture: Picture) -> int:
    """Bytes that a picture takes."""
    planes = picture.planes if isinstance(picture, Pixels) else (picture,)
    return sum(plane.nbytes for plane in planes)


def to_jpeg(picture: Picture, options: EventOptions) -> bytes:
    """The picture as a JPEG file, scaled down to the longest side that the options say."""
    image = picture.bgr() if isinstance(picture, Pixels) else picture
    height, width = image.shape[:2]
    scale = options.picture_px / max(height, width)
    if scale < 1:
        image = resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))
    cv2 = load_cv2()
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image), [cv2.IMWRITE_JPEG_QUALITY, options.quality])
    return bytes(data)
