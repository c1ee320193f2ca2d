"""Events as a pipeline would hand them over."""

from __future__ import annotations

from typing import Any, Optional

from edge_runtime.types.events import Event


def event(
    kind: str = "new", number: int = 1, key: str = "r-cam-1", picture: Optional[bytes] = None, **data: Any
) -> Event:
    """One event of the source "cam"."""
    return Event(kind, "cam", 1.7e9 + number, number, "r", key, data, picture)
