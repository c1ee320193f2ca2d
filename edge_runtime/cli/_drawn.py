"""Lines and zones that were drawn on the page, in the text of a configuration."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, Sequence

from edge_runtime.cli import _config
from edge_runtime.errors import UsageError
from edge_runtime.files import read, toml_tables
from edge_runtime.files.atomic import replace_file
from edge_runtime.track.places import FRACTIONS, PIXELS, Place

BOM = b"\xef\xbb\xbf"
DIGITS = 4


def written(text: str, path: str, key: str, lines: Sequence[Place], zones: Sequence[Place]) -> str:
    """The text of a configuration with these lines and zones of a stream instead of its own.

    Args:
        key: of the stream, see `_config.key_of`.

    Raises:
        UsageError: the stream is not in the file, or its lines and zones are in another form.
    """
    data = read.parse_toml(text)
    place = _config.index_of(data, key, _config.folder_of(path))
    if place is None:
        raise UsageError(f"{key} has no [[stream]] in {path}", hint="write one, with its source")
    wanted, kinds = deepcopy(data), {"lines": lines, "zones": zones}
    table = wanted[_config.STREAM][place]
    for kind, places in kinds.items():
        if places or table.get(kind) != []:  # an empty list stays: none of those for all streams
            table.pop(kind, None)
        if places:
            table[kind] = [_plain(each) for each in places]
    try:
        new = toml_tables.replaced(text, (_config.STREAM, place), list(kinds), _tables(kinds))
        fits = read.parse_toml(new) == wanted and not {"line", "zone"} & table.keys()
    except (KeyError, ValueError):
        fits = False
    if not fits:
        fact = f"{path} has the lines or zones of {key} in a form that is not replaced"
        raise UsageError(fact, hint="write them as tables: [[stream.lines]] and [[stream.zones]] below [[stream]]")
    return new


def replace(path: str, text: str, new: str) -> None:
    """Writes the new text in place of a text that `read.read_text` has read. Line ends and rights stay.

    Raises:
        UsageError: somebody has changed the file since, or it cannot be written, or would be too long.
    """
    before = read.read_bytes(path, _config.LONGEST)
    if read.read_text(path, _config.LONGEST) != text:
        raise UsageError(f"{path} was changed meanwhile", hint="save again")
    content = BOM * before.startswith(BOM) + new.replace("\n", "\r\n" if b"\r\n" in before else "\n").encode()
    if len(content) > _config.LONGEST:
        raise UsageError(f"{path} would be too long to read again", hint="draw fewer corners")
    replace_file(Path(path), content, rights=True)


def _plain(place: Place) -> Dict[str, Any]:
    unit = FRACTIONS if place.fractions else PIXELS
    return {"name": place.name, unit: [[round(x, DIGITS), round(y, DIGITS)] for x, y in place.points]}


def _tables(kinds: Dict[str, Sequence[Place]]) -> str:
    text = ""
    for kind, places in kinds.items():
        for place in map(_plain, places):
            unit = FRACTIONS if FRACTIONS in place else PIXELS
            name, points = toml_tables.quoted(place["name"]), json.dumps(place[unit])
            text += f"[[stream.{kind}]]\nname = {name}\n{unit} = {points}\n\n"
    return text
