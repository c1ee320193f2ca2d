"""Finds the implementations of a family. A family is a folder, and each file in it is one implementation."""

from __future__ import annotations

import difflib
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import List

from edge_runtime.errors import UsageError
from edge_runtime.libraries import BROKEN


def names(family: str) -> List[str]:
    """Names of the implementations in a family's folder, sorted. Files that start with `_` are helpers, not members."""
    return sorted(p.stem for p in (Path(__file__).parent / family).glob("*.py") if not p.stem.startswith("_"))


def load_member(family: str, name: str) -> ModuleType:
    """The implementation of that name.

    Raises:
        UsageError: there is none. The hint lists the existing names.
    """
    known = names(family)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"no {name!r} in {family}/", hint=f"{guess}there is: {', '.join(known)}")
    return import_module(f"edge_runtime.{family}.{name}")


def members(family: str) -> List[ModuleType]:
    """Every implementation of a family, highest PRIORITY first, then by name."""
    modules = [load_member(family, name) for name in names(family)]
    return sorted(modules, key=lambda module: -int(getattr(module, "PRIORITY", 0)))


def pick(family: str, target: str) -> ModuleType:
    """The implementation whose HANDLES has this target's suffix (`.onnx`), scheme (`rtsp://`) or whole name.

    If several match, the available one with the highest PRIORITY is used. If none is available, the first one is used,
    and it says why when it is opened. A broken one comes before those that are not installed. An address goes by its
    scheme, whatever its end looks like: `http://127.0.0.1:8080/` is no folder, also where there can be no page.

    Raises:
        UsageError: no member handles it.
    """
    lowered = target.lower()
    found = [(m, [h for h in m.HANDLES if _matches(lowered, h)]) for m in members(family)]
    by_scheme = [m for m, handles in found if any(h.endswith("://") for h in handles)]
    matching = by_scheme or [m for m, handles in found if handles]
    if not matching:
        handled = sorted({handle for m in members(family) for handle in m.HANDLES if handle})
        raise UsageError(f"nothing in {family}/ handles {target!r}", hint=f"expected one of: {', '.join(handled)}")
    ready = next((member for member in matching if not _reason(member)), None)
    return ready or next((member for member in matching if BROKEN in _reason(member)), matching[0])


def _reason(member: ModuleType) -> str:
    """Why a member is not available; "" if it is."""
    return str(member.available() or "") if hasattr(member, "available") else ""


def _matches(target: str, handle: str) -> bool:
    if handle.endswith(("://", ":")):
        return target.startswith(handle)
    return target.endswith(handle) if handle.startswith((".", "/")) else target == handle
