"""Paths in a configuration are relative to its folder, because a service has another one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from edge_runtime.cli import _files
from edge_runtime.files import relative

_USER = re.compile(r"([\w+.-]+://)[^/?#@:]+@([^?#]*\?(?:[^#]*&)?password=(?:@|env:))")
WRITTEN = ("output", "save", "log", "record")


def located(dest: str, text: str, folder: Path) -> str:
    """The text of a value, with its paths made such that do not depend on the folder of the process.

    Args:
        dest: destination of the flag. Those that name no file keep their text.
        folder: of the configuration.
    """
    if dest not in _files.READS and dest not in WRITTEN:
        return text
    front, path = relative.parts(text)
    if not path:
        return relative.options_located(text, folder) if dest == "output" else text
    bare = dest in ("engine", "labels", "meter") and os.sep not in path and not front
    if bare and not os.path.exists(relative.joined(path, folder)):
        return text  # the name of a shipped model, of a set of labels, of a meter
    return relative.located(text, folder)


def without_references(address: str) -> str:
    """The address of an output without what only says where a secret is: files, and a user whose password is there."""
    user = _USER.match(address)
    return relative.without_options(f"{user[1]}{address[user.start(2) :]}" if user else address)
