"""OpenCV, loaded late and kept quiet: what goes wrong with it is said in our own errors."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from edge_runtime.errors import BackendUnavailable
from edge_runtime.extras import install_hint

# Read by OpenCV when it opens a file; the user's own setting wins. Two decoder threads take no more CPU per frame than
# one, but a frame is there sooner when a fast detector waits for it. -8 is FFmpeg's "quiet".
DEFAULTS = {"OPENCV_FFMPEG_THREADS": "2", "OPENCV_FFMPEG_LOGLEVEL": "-8"}


@lru_cache(maxsize=None)
def load_cv2() -> Any:
    """The module cv2, its log switched off unless the user has set OPENCV_LOG_LEVEL.

    Raises:
        BackendUnavailable: OpenCV cannot be loaded.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        import cv2
    except ImportError as error:
        hint = f"{install_hint('cpu')}, or on a Jetson the system's own: sudo apt install libopencv-python"
        raise BackendUnavailable(f"OpenCV cannot be loaded: {error}", hint=hint) from error
    if "OPENCV_LOG_LEVEL" not in os.environ and hasattr(cv2, "utils"):
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
