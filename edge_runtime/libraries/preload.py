"""Libraries that must be loaded before others.

On ARM, glibc before 2.34 keeps little memory for the data of threads. Big libraries use it up. Libraries loaded later
then fail with "cannot allocate memory in static TLS block": libgomp for OpenCV, libGLdispatch for NVIDIA's GStreamer
elements. GStreamer remembers that and never loads these elements again.
"""

from __future__ import annotations

import ctypes
import os
import platform
from contextlib import contextmanager, suppress
from typing import Iterator, List

from edge_runtime.libraries.once import once

EARLY = ("libgomp.so.1", "libGLdispatch.so.0")


@once
def preload() -> List[str]:
    """Loads them, and returns the names of those that exist. Call it before a big library is imported."""
    loaded: List[str] = []
    for name in EARLY if platform.machine() == "aarch64" else ():
        with suppress(OSError):
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
            loaded.append(name)
    return loaded


@contextmanager
def inherited() -> Iterator[None]:
    """Makes programs that are started meanwhile load them too. GStreamer tries its elements in another program."""
    before = os.environ.get("LD_PRELOAD")
    names = [*preload(), *filter(None, [before])]
    if names:
        os.environ["LD_PRELOAD"] = ":".join(names)
    try:
        yield
    finally:
        os.environ.pop("LD_PRELOAD", None)
        if before is not None:
            os.environ["LD_PRELOAD"] = before
