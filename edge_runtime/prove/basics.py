"""Loads what everything else needs, numpy and the native core. Nothing else is imported before them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Optional

from edge_runtime.errors import BackendUnavailable
from edge_runtime.prove.steps import Skip, Task


def prove(task: Task) -> str:
    """Returns the version, or the instruction sets.

    Raises:
        Skip: it is not installed.
        BackendUnavailable: it does not load.
    """
    if task.argument == "numpy":
        numpy = module("numpy", task)
        assert int(numpy.arange(4).sum()) == 6
        return str(numpy.__version__)
    levels = module("edge_runtime.native._core", task).simd_levels()
    task.figures["simd"] = levels
    return f"instruction sets: {', '.join(levels)}"


def module(name: str, task: Task) -> Any:
    """Returns the module.

    Raises:
        Skip: it is not installed.
        BackendUnavailable: it does not load.
    """
    reason = absent(name)
    if reason:
        raise Skip(reason, "edge-doctor says how to get it")
    try:
        loaded = import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        said = (str(error).strip().splitlines() or ["it gives no reason"])[0]
        raise BackendUnavailable(f"{name} does not load: {said}", hint="edge-doctor says more") from error
    task.figures["version"] = getattr(loaded, "__version__", "")
    return loaded


def absent(name: str) -> Optional[str]:
    """The fact that a module is not installed; None if it is."""
    return None if find_spec(name) else f"{name} is not installed"
