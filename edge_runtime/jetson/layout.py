"""Writes a board's record into a folder that can stand for `/`."""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List

from edge_runtime.errors import UsageError
from edge_runtime.files import fields, read
from edge_runtime.files.fields import check_fields
from edge_runtime.jetson.record import SAID, TEGRASTATS

MOST = 64 * read.MIB  # bytes of a record
FIELDS = {
    "files": fields.mapping(fields.text(MOST)),
    "links": fields.mapping(fields.text()),
    "read_errors": fields.mapping(fields.text()),
    "programs": fields.several(fields.text()),
    "commands": fields.mapping(fields.text(MOST)),
}
SAYS = '#!/bin/sh\nwhile cat "$0.txt"; do sleep 0.2; done\n'  # stands in for tegrastats; never from the record
_KEPT: List[Any] = []  # the folders, so that they stay until the program ends


@lru_cache(maxsize=None)
def laid_out(path: str) -> Path:
    """Returns a folder with a record (or with the record in a proof). The folder is deleted when the program ends.

    Raises:
        UsageError: the file is not a record.
    """
    folder = tempfile.TemporaryDirectory(prefix="board-")
    _KEPT.append(folder)
    try:
        content = read.parse_json_object(read.read_text(path, MOST))
        lay(content.get("tree") or content, Path(folder.name))
    except (OSError, ValueError, KeyError, TypeError) as error:
        fact = f"{path} is no record of a board: {read.why(error)}"
        raise UsageError(fact, hint="edge-doctor --record makes one") from error
    return Path(folder.name)


def lay(tree: Dict[str, Any], root: Path) -> None:
    """Writes a record into an empty folder. None of its files can be run, and no link leads out of the folder.

    Args:
        tree: as `record` gives it.

    Raises:
        ValueError: a path would leave the folder, or the file is not a record.
    """
    tree = check_fields({name: tree[name] for name in FIELDS if name in tree}, FIELDS, "", UsageError)
    for path, text in {**tree["files"], **dict.fromkeys(tree.get("read_errors", {}), "")}.items():
        if ".." in path.split("/") or path.startswith("/"):
            raise ValueError(f"{path} lies outside")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    for path in tree.get("read_errors", {}):
        (root / path).chmod(0)
    for path, target in tree["links"].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    top = os.path.realpath(root)
    for path in tree["links"]:
        if not os.path.realpath(root / path).startswith(f"{top}/"):
            raise ValueError(f"{path} leads outside")
    if tree.get("commands", {}).get(SAID) and TEGRASTATS in tree.get("programs", ()):
        _say(root / TEGRASTATS, tree["commands"][SAID])


def _say(program: Path, text: str) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(SAYS, encoding="utf-8")
    program.with_name(f"{program.name}.txt").write_text(text, encoding="utf-8")
    program.chmod(0o755)
