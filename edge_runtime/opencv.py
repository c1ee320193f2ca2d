"""OpenCV, loaded late and kept quiet: what goes wrong with it is said in our own errors."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stderr
from functools import lru_cache
from typing import Any

from edge_runtime import causes
from edge_runtime.errors import BackendUnavailable
from edge_runtime.preload import preload

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
    preload()
    heard = io.StringIO()
    try:
        with redirect_stderr(heard):  # numpy prints a page where OpenCV was built for another one
            import cv2
    except (ImportError, AttributeError, OSError) as error:
        install = "pip install 'edge-runtime[cpu]', or on a Jetson the system's own: sudo apt install libopencv-python"
        fact, hint = causes.explain(f"OpenCV cannot be loaded: {error}", install, heard.getvalue())
        raise BackendUnavailable(fact, hint=hint) from error
    sys.stderr.write(heard.getvalue())
    if "OPENCV_LOG_LEVEL" not in os.environ and hasattr(cv2, "utils"):
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
