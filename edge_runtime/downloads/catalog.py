"""The detectors that `edge-zoo` offers. Each is a recipe in `entries/`, with origin and measured accuracy."""

from __future__ import annotations

import difflib
import functools
import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple, Union

from edge_runtime.downloads import listed
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.files import fields, read
from edge_runtime.files.fields import Field, check_fields
from edge_runtime.model.recipe import ModelFlags, load_recipe

PERMISSIVE = ("Apache-2.0", "MIT", "BSD-3-Clause")
SUFFIX = ".onnx"
MOST_TEXT, MOST_BYTES = 1 << 16, 1 << 28  # bytes of an entry; bytes of a file that is hashed


@dataclass(frozen=True)
class Entry:
    """A detector that others have published.

    Attributes:
        name: what `edge-zoo get` and `--engine` call it.
        text: its TOML file, which is a recipe.
        recipe: how images are prepared and outputs are read.
        title: name of the network.
        project, project_licence: address of the authors' project, and its licence.
        licence: that of the repository that the file is fetched from.
        size_bytes, sha256: of the file; the sum as 64 hex digits.
        addresses: where the file is, the first choice first.
        measured: `data`, `images`, `coco_101`, `AP50`, `conf`, `iou`, `max_det`, `script`; or `missing`, the reason why
            there is no figure.
    """

    name: str
    text: str
    recipe: ModelFlags
    title: str
    project: str
    project_licence: str
    licence: str
    size_bytes: int
    sha256: str
    addresses: Tuple[str, ...]
    measured: Mapping[str, Any]

    @property
    def file_name(self) -> str:
        """Name of the file in any folder."""
        return f"{self.name}{SUFFIX}"

    @property
    def classes(self) -> str:
        """The classes in a few words: "coco", "face"."""
        labels = self.recipe.labels or ()
        return labels if isinstance(labels, str) else ", ".join(labels)


def load_entry(name: str) -> Entry:
    """The entry of that name.

    Raises:
        UsageError: there is none. The hint has the nearest name.
    """
    if name not in listed.names():
        near = difflib.get_close_matches(name, listed.names(), n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"edge-zoo has no {name!r}", hint=f"{guess}there is: {', '.join(listed.names())}")
    return read_entry(listed.ENTRIES / f"{name}.toml")


@functools.lru_cache(maxsize=None)
def read_entry(path: Path) -> Entry:
    """Reads an entry.

    Raises:
        ModelError: it is not readable, or a value does not fit.
        UsageError: its recipe does not fit.
    """
    try:
        text = read.read_text(path, MOST_TEXT)
        tables = read.parse_toml(text)
    except ValueError as error:
        raise ModelError(f"entry {path} is not readable: it {error}", hint="install edge-runtime again") from error
    parts = []
    for table, wanted in (("download", DOWNLOAD), ("measured", MEASURED)):
        given = tables.get(table)
        if not isinstance(given, dict):
            raise ModelError(f"entry {path} has no table [{table}]", hint="install edge-runtime again")
        parts.append(check_fields(given, wanted, f"entry {path}: [{table}] ", ModelError))
    lacking = DOWNLOAD.keys() - parts[0].keys()
    if lacking:
        raise ModelError(
            f"entry {path}: [download] lacks {', '.join(sorted(lacking))}", hint="install edge-runtime again"
        )
    return Entry(path.stem, text, load_recipe(str(path)), measured=parts[1], **parts[0])


def identify(path: str) -> Optional[Entry]:
    """The entry whose file this is, by size and SHA-256, under any name. None for all other files."""
    with suppress(OSError, ValueError):
        size = os.stat(path).st_size
        for name in listed.names():
            entry = load_entry(name)
            if entry.size_bytes == size and digest(path) == entry.sha256:
                return entry
    return None


def digest(path: Union[str, Path]) -> str:
    """SHA-256 of a file, hex digits.

    Raises:
        ValueError: it is not there, not a regular file, or larger than 256 MiB. The text follows the path.
    """
    return hashlib.sha256(read.read_bytes(path, MOST_BYTES)).hexdigest()


def folder() -> Path:
    """Where fetched files lie: `edge-runtime/models` in the user's data folder, as XDG names it. It may not exist."""
    stated = os.environ.get("XDG_DATA_HOME", "")
    data = stated if os.path.isabs(stated) else os.path.expanduser("~/.local/share")
    return Path(data, "edge-runtime", "models")


def file_name(name: str) -> str:
    """The file that a bare name means: "yolox_nano" is yolox_nano.onnx. Other names stay as they are."""
    return f"{name}{SUFFIX}" if name in listed.names() else name


def to_get(name: str) -> str:
    """The command that fetches a file of that name; "" if there is none."""
    stem = name[: -len(SUFFIX)] if name.endswith(SUFFIX) else name
    return f"edge-zoo get {stem}" if stem in listed.names() else ""


def _shaped(expected: str, pattern: str) -> Field:
    return Field(expected, lambda value: re.fullmatch(pattern, value)[0])  # type: ignore[index]


_ADDRESS = _shaped("an https address", r"https://[\w.-]+/[\x21-\x7e]{1,500}")
DOWNLOAD = {
    "title": fields.text(80),
    "project": _ADDRESS,
    "project_licence": fields.one_of(PERMISSIVE),
    "licence": fields.one_of(PERMISSIVE),
    "size_bytes": fields.whole(1, MOST_BYTES),
    "sha256": _shaped("64 hex digits", "[0-9a-f]{64}"),
    "addresses": fields.several(_ADDRESS, 1, 8),
}
MEASURED = {
    "data": fields.text(200),
    "images": fields.whole(1, 1 << 31),
    "coco_101": fields.number(0, 1),
    "AP50": fields.number(0, 1),
    "conf": fields.number(0, 1),
    "iou": fields.number(0, 1),
    "max_det": fields.whole(1, 1 << 16),
    "script": fields.text(200),
    "missing": fields.text(200),
}
