"""edge-detect from its first moment on: its libraries take a second to load, and SIGHUP may come meanwhile."""

from __future__ import annotations

import sys
from importlib import import_module

from edge_runtime.cli import _hangup


def detect() -> int:
    """Runs edge-detect and returns its exit code."""
    with _hangup.held_back(sys.argv[1:]):
        return int(import_module("edge_runtime.cli.detect").main())
