"""Libraries that must be loaded before others.

On ARM, glibc before 2.34 keeps little room for the data of threads. Big libraries use it up, and what comes after them
fails with "cannot allocate memory in static TLS block": libgomp under OpenCV, libGLdispatch under NVIDIA's GStreamer
elements, which GStreamer then leaves out for ever.
"""

from __future__ import annotations

import ctypes
import platform
from contextlib import suppress
from functools import lru_cache

EARLY = ("libgomp.so.1", "libGLdispatch.so.0")


@lru_cache(maxsize=None)
def preload() -> None:
    """Loads them, where they are; to be called before a big library is imported."""
    if platform.machine() != "aarch64":
        return
    for name in EARLY:
        with suppress(OSError):
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
