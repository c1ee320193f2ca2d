"""Stops libraries from sending data about this machine and its programs to their makers."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, Dict, Iterator

REPORTERS = ("openvino_telemetry",)  # OpenVINO starts it at import; a child process then sends data to its maker
OPT_OUT = {"ORT_DISABLE_TELEMETRY": "1"}  # ONNX Runtime since 1.29; its switch in Python comes after a report


@contextlib.contextmanager
def kept_out() -> Iterator[None]:
    """Blocks the import of a library's reporter while the library is imported. The library then works without it.

    The variables stay set, for programs that are started later. A value that the user has set is kept.
    """
    for name, value in OPT_OUT.items():
        os.environ.setdefault(name, value)
    modules: Dict[str, Any] = sys.modules  # None: Python cannot import it
    added = [name for name in REPORTERS if name not in modules]
    modules.update(dict.fromkeys(added))
    try:
        yield
    finally:
        for name in added:
            modules.pop(name, None)
