"""A plugin of pytest: the native core of this process is the one in $EDGE_SANITIZED_CORE, built under the sanitizers.

    LD_PRELOAD="libasan.so libstdc++.so" EDGE_SANITIZED_CORE=... pytest -p tests.native.sanitized_core ...

`test_sanitized.py` builds that core and starts the process.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location

from hypothesis import settings

NAME = "edge_runtime.native._core"

settings.register_profile("few", max_examples=15, deadline=None, derandomize=True, database=None)


def _load(path: str) -> None:
    spec = spec_from_file_location(NAME, path, loader=ExtensionFileLoader(NAME, path))
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[NAME] = module


_load(os.environ["EDGE_SANITIZED_CORE"])


def pytest_report_header() -> str:
    """The core that the tests really use: whoever started this looks for it."""
    return f"core: {sys.modules[NAME].__file__}"
