"""The names of the detectors that `edge-zoo` offers. Every command line asks for them, also where numpy is missing."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Tuple

ENTRIES = Path(__file__).with_name("entries")


def names() -> Tuple[str, ...]:
    """Names of all entries, sorted."""
    return _names(ENTRIES)


@functools.lru_cache(maxsize=None)
def _names(entries: Path) -> Tuple[str, ...]:
    """Cached, because every word of a command line is looked up."""
    return tuple(sorted(path.stem for path in entries.glob("*.toml")))
