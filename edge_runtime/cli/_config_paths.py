"""Paths in a configuration are relative to its folder, because a service has another one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from edge_runtime.cli import _files

_FRONT = re.compile(
    r"(@|events:|clips:|yolo-conf:|yolo:|coco:|replay:|(?:gst\+)?file://)?(.*)", re.DOTALL | re.IGNORECASE
)
_NO_PATH = ("", "-", "window", "demo")
WRITTEN = ("output", "save", "log")


def located(dest: str, text: str, folder: Path) -> str:
    """The text of a value, with its path made one that does not depend on the folder of the process.

    Args:
        dest: destination of the flag. Those that name no file keep their text.
        folder: of the configuration.
    """
    if dest not in _files.READS and dest not in WRITTEN:
        return text
    front, rest = _FRONT.fullmatch(text).groups()  # type: ignore[union-attr]
    if rest in _NO_PATH or rest.isdecimal() or os.path.isabs(rest):
        return text
    if not front and (rest.startswith(("env:", "gst:")) or "://" in rest):
        return text
    joined = os.path.join(folder, rest)
    bare = dest in ("engine", "labels", "meter") and os.sep not in rest and not front
    if bare and not os.path.exists(joined):  # the name of a shipped model, of a set of labels, of a meter
        return text
    return f"{front or ''}{joined}"
