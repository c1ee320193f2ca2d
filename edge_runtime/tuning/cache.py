"""Keeps choices in the user's cache, one small file for each model, machine and set of versions.

A cache that cannot be read or written stops nothing: its `trouble` says what is wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Mapping, Optional

from edge_runtime.errors import EdgeError, UsageError
from edge_runtime.files import atomic, read
from edge_runtime.tuning.choice import Choice

MOST = 64  # files; the oldest go first
MOST_TEXT = 1 << 16


def folder() -> Path:
    """Where choices lie: `edge-runtime/arrangements` in the user's cache folder, as XDG names it. It may not exist."""
    stated = os.environ.get("XDG_CACHE_HOME", "")
    found = stated if os.path.isabs(stated) else os.path.expanduser("~/.cache")
    return Path(found, "edge-runtime", "arrangements")


def read_choice(path: Path, about: Mapping[str, Any]) -> Choice:
    """Reads a file of the cache.

    Raises:
        UsageError: it is not whole, or about something else.
    """
    try:
        found = read.parse_json_object(read.read_text(path, MOST_TEXT))
        if found.get("about") != json.loads(json.dumps(about)):
            raise ValueError("is about something else")
        return Choice.from_dict(found.get("choice"))
    except ValueError as error:  # ours too
        raise UsageError(f"{path} is not used, it {error}", hint="the next trial writes it anew") from error


class Cache:
    """Choices by what they depend on.

    Args:
        place: the folder; None for that of the user.

    Attributes:
        trouble: why a choice could not be read, or after `put` not be written; "" if it could.
    """

    def __init__(self, place: Optional[Path] = None) -> None:
        self._folder = folder() if place is None else place
        self.trouble = ""

    def get(self, about: Mapping[str, Any]) -> Optional[Choice]:
        """The choice that was kept for exactly this; None if there is none."""
        path = self._path(about)
        if not os.path.exists(path):
            return None
        try:
            return read_choice(path, about)
        except UsageError as error:
            self.trouble = str(error)
            return None

    def put(self, about: Mapping[str, Any], choice: Choice) -> None:
        """Keeps a choice. Other processes see the old file or the new one, never a part."""
        self.trouble = ""
        content = json.dumps({"about": about, "choice": choice.to_dict()}, indent=1) + "\n"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            atomic.replace_file(self._path(about), content.encode(), durable=False)
        except (OSError, EdgeError) as error:
            self.trouble = f"the arrangement is not kept: {error}"
            return
        self._forget()

    def _path(self, about: Mapping[str, Any]) -> Path:
        text = json.dumps(about, sort_keys=True)
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"

    def _forget(self) -> None:
        """Removes the oldest files. Another process may do the same at the same time."""
        with suppress(OSError):
            files = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in files[MOST:]:
                path.unlink()
