"""Libraries that may be missing or broken. Each is loaded once to find out whether it loads."""

from __future__ import annotations

import contextlib
import io
import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Optional, Tuple

from edge_runtime.libraries.once import once
from edge_runtime.libraries.telemetry import kept_out

BROKEN = "cannot be loaded"
OTHER_NUMPY, NUMPY_HINT = "it was built for another numpy than", "pip install 'numpy<2'"


def missing(name: str, install: str) -> Optional[str]:
    """None if a library can be imported, else the reason: "openvino is not installed: pip install openvino".

    Args:
        install: the command that installs it.
    """
    if find_spec(name) is None:
        return f"{name} is not installed: {install}"
    module, reason = _load(name)
    way_out = f": {NUMPY_HINT}" if OTHER_NUMPY in reason else ""
    return None if module else f"{name} {BROKEN}: {reason}{way_out}"


def load_library(name: str) -> ModuleType:
    """Returns the library.

    Raises:
        ImportError: with the reason, in one line.
    """
    module, reason = _load(name)
    if module is None:
        raise ImportError(reason)
    return module


@once  # a second try gives a worse message than the first, or crashes
def _load(name: str) -> Tuple[Optional[ModuleType], str]:
    """Returns the module and "", or None and the reason.

    What it prints while it fails is dropped. A library that was built for another numpy may load and crash later.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), kept_out():
            module = import_module(name)
    except Exception as error:  # libraries that do not fit together may raise any exception
        text = " ".join(str(error).split()) or f"{type(error).__name__} without a reason"
        return None, _numpy_reason(said.getvalue() + text) or text
    reason = _numpy_reason(said.getvalue())
    if not reason:
        sys.stderr.write(said.getvalue())
    return (None, reason) if reason else (module, "")


def _numpy_reason(said: str) -> str:
    """A sentence if numpy complains that a library was built for another numpy."""
    if "NumPy 1.x cannot be run in" not in said and "numpy.core.multiarray" not in said:
        return ""
    return f"{OTHER_NUMPY} {_version('numpy')}"


def _version(name: str) -> str:
    return str(getattr(import_module(name), "__version__", "of unknown version"))
