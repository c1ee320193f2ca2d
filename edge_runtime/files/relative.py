"""A relative file name is relative to the folder of what it is written in: a configuration, or a file with an address.

What is typed or stands in a variable is relative to the folder of the process.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Tuple, Union
from urllib.parse import quote, unquote_plus

Folder = Union[str, Path]
_FRONT = re.compile(
    r"(@|events:|clips:|yolo-conf:|yolo:|coco:|replay:|(?:gst\+)?file://)?(.*)", re.DOTALL | re.IGNORECASE
)
_NO_PATH = re.compile(r"-|window|demo|(?:env|gst):.*|.*://.*", re.DOTALL)
_STDOUT = re.compile(r"-(?:\?\w+=.*)?", re.DOTALL)  # behind "events:"
_OPTION = re.compile(r"(?:^|(?<=&))((?:spool|ca|cert|key)=|(?:password|token|secret|authorization)=@)([^&#]+)")


def parts(text: str) -> Tuple[str, str]:
    """What stands in front of a path, such as `@` or `yolo:`, and the path. The path is "" for what names no file."""
    front, rest = _FRONT.fullmatch(text).groups()  # type: ignore[union-attr]
    if not front:
        other = bool(_NO_PATH.fullmatch(rest)) or rest.isdecimal()
    else:
        other = front.lower() == "events:" and bool(_STDOUT.fullmatch(rest))
    return front or "", "" if other else rest


def located(text: str, folder: Folder) -> str:
    """A source or an output, with a path that begins in this folder. `~` is the home folder, as in a shell."""
    front, path = parts(text)
    return f"{front}{joined(path, folder)}" if path else text


def options_located(address: str, folder: Folder) -> str:
    """The address of an output, with the files that its options name. All else stays as it is written."""

    def path_of(found: re.Match[str]) -> str:
        return found[1] + quote(joined(unquote_plus(found[2]), folder), safe="/~")

    front, options = _options(address)
    return front + _OPTION.sub(path_of, options)


def without_options(address: str) -> str:
    """The address of an output without the options that name files."""
    front, options = _options(address)
    return front + _OPTION.sub("", options)


def joined(path: str, folder: Folder) -> str:
    """A path that begins in this folder, unless it is absolute or begins at home."""
    return os.path.expanduser(path) if path.startswith("~") else os.path.join(folder, path)


def _options(address: str) -> Tuple[str, str]:
    """An address up to its options, and the options. The query of a webhook is not ours."""
    if "://" not in address:
        return address, ""
    sign = "#" if address.lower().startswith("webhook+") else "?"
    front, found, options = address.partition(sign)
    return front + found, options
