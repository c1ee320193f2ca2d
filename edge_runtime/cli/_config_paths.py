"""Paths in a configuration are relative to its folder, because a service has another one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote_plus

from edge_runtime.cli import _files

_FRONT = re.compile(
    r"(@|events:|clips:|yolo-conf:|yolo:|coco:|replay:|(?:gst\+)?file://)?(.*)", re.DOTALL | re.IGNORECASE
)
_NO_PATH = ("", "-", "window", "demo")
_OPTION = re.compile(r"(?<=[?&])((?:spool|ca|cert|key)=|(?:password|token)=@)([^&#]+)")
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
    front, rest = _FRONT.fullmatch(text).groups()  # type: ignore[union-attr]
    if rest in _NO_PATH or rest.isdecimal():
        return text
    if not front and "://" in rest:
        return _options_located(text, folder) if dest == "output" else text
    if not front and rest.startswith(("env:", "gst:")):
        return text
    joined = _joined(rest, folder)
    bare = dest in ("engine", "labels", "meter") and os.sep not in rest and not front
    if bare and not os.path.exists(joined):  # the name of a shipped model, of a set of labels, of a meter
        return text
    return f"{front or ''}{joined}"


def without_references(address: str) -> str:
    """The address of an output without what only says where a secret is: files, and a user whose password is there."""
    user = _USER.match(address)
    return _OPTION.sub("", f"{user[1]}{address[user.start(2) :]}" if user else address)


def _options_located(address: str, folder: Path) -> str:
    """The address of an output, with the files that its options name."""

    def path_of(found: re.Match[str]) -> str:
        return found[1] + quote(_joined(unquote_plus(found[2]), folder), safe="/~")

    return _OPTION.sub(path_of, address)


def _joined(path: str, folder: Path) -> str:
    """An absolute path, or one that begins where the configuration is. A shell would replace `~`."""
    return os.path.expanduser(path) if path.startswith("~") else os.path.join(folder, path)
