"""Reads image files. Only this file turns a file into a picture, or into the reason why it cannot be read."""

from __future__ import annotations

from typing import Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.files.read import read_bytes
from edge_runtime.imaging import picture_size
from edge_runtime.imaging.opencv import MOST_PIXELS, load_cv2, quiet

MOST_BYTES = 1 << 29
END_OF_IMAGE = b"\xff\xd9"


def read_image(path: str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR as `cv2.imread` would give it. The file must be complete.

    Python reads the file, because cv2.imread fails on some paths that are not ASCII.

    Raises:
        ValueError: why it cannot be read. The text follows the path in a sentence.
        BackendUnavailable: OpenCV cannot be loaded.
    """
    cv2 = load_cv2()
    data = read_bytes(path, MOST_BYTES)
    if not data:
        raise ValueError("is empty")
    width, height = picture_size.stated(data)
    if width * height > MOST_PIXELS:
        raise ValueError(f"is {width} x {height} pixels, of which {MOST_PIXELS >> 20} million are the most")
    if _is_cut(data):
        raise ValueError("is damaged, or not an image")
    image: Optional[NDArray[np.uint8]] = None
    try:
        with quiet():
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except (cv2.error, MemoryError):  # a damaged header may ask for any size
        pass
    if image is None:
        raise ValueError("is damaged, or not an image")
    return image


def _is_cut(data: bytes) -> bool:
    """Whether this is a JPEG without its end. OpenCV 4 would read the part that is there and make the rest grey."""
    if not data.startswith(picture_size.JPEG):
        return False
    scan = picture_size.first_scan(data)
    return scan is None or data.find(END_OF_IMAGE, scan) < 0
