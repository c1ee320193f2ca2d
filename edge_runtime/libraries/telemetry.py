"""Libraries must not report to their makers unasked."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Dict, Iterator

REPORTERS = ("openvino_telemetry",)  # OpenVINO starts it when it is imported; a child process then calls its maker


@contextlib.contextmanager
def kept_out() -> Iterator[None]:
    """Reporters cannot be imported meanwhile: the libraries then go without, as they do where none is installed."""
    modules: Dict[str, Any] = sys.modules  # None: it cannot be imported
    added = [name for name in REPORTERS if name not in modules]
    modules.update(dict.fromkeys(added))
    try:
        yield
    finally:
        for name in added:
            modules.pop(name, None)
