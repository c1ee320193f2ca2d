"""Libraries must not report to their makers unasked: not what runs here, nor on which machine."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, Dict, Iterator

REPORTERS = ("openvino_telemetry",)  # OpenVINO starts it when it is imported; a child process then calls its maker
OPT_OUT = {"ORT_DISABLE_TELEMETRY": "1"}  # ONNX Runtime since 1.29; its switch in Python comes after a first report


@contextlib.contextmanager
def kept_out() -> Iterator[None]:
    """While a library is imported, its reporter cannot be: it then goes without, as where none is installed.

    The variables stay, for programs that are started. What the user has set in them counts.
    """
    for name, value in OPT_OUT.items():
        os.environ.setdefault(name, value)
    modules: Dict[str, Any] = sys.modules  # None: it cannot be imported
    added = [name for name in REPORTERS if name not in modules]
    modules.update(dict.fromkeys(added))
    try:
        yield
    finally:
        for name in added:
            modules.pop(name, None)
