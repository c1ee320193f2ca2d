"""Reads image files: the one place where a file becomes a picture, or a reason why not."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime.imaging.opencv import load_cv2, quiet

JPEG, START_OF_SCAN, END_OF_IMAGE = b"\xff\xd8", 0xDA, b"\xff\xd9"
ALONE = {0x01, *range(0xD0, 0xD9)}  # markers of a JPEG that no length follows


def read_image(path: str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR as `cv2.imread` would give it, from files that are whole.

    Read by Python, because cv2.imread fails on some paths that are not ASCII.

    Raises:
        ValueError: why it cannot be read, to follow the path in a sentence.
        BackendUnavailable: OpenCV cannot be loaded.
    """
    cv2 = load_cv2()
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be opened: {error.strerror}") from error
    if not data:
        raise ValueError("is empty")
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
    """Whether this is a JPEG without its end: OpenCV 4 would give what is there, and grey for the rest."""
    if not data.startswith(JPEG):
        return False
    scan = _first_scan(data)
    return scan is None or data.find(END_OF_IMAGE, scan) < 0


def _first_scan(data: bytes) -> Optional[int]:
    """Where the picture's own data begins, behind the thumbnail that a header may hold; None where it does not."""
    at = len(JPEG)
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker == START_OF_SCAN:
            return at
        if marker == 0xFF:  # fill
            at += 1
        elif marker in ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
