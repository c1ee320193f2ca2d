"""Finds the lines of a TOML text, and replaces tables in it. All else stays as it was written, with its comments."""

from __future__ import annotations

import json
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

Path = Tuple[Union[str, int], ...]  # ("stream", 0, "lines", 1, "name"); tables of an array are counted from 0
_NAME = r"""\s*(?:"[^"]*"|'[^']*'|[A-Za-z_][\w-]*)\s*"""  # a number would be an item of a list of several lines
_HEADER = re.compile(rf"\s*(\[\[?)({_NAME}(?:\.{_NAME})*)\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[\w-]+)\s*[=.]""")


class Header(NamedTuple):
    """The line of a table's header, counted from 0, and the table's path."""

    line: int
    path: Path


def headers(lines: Sequence[str]) -> List[Header]:
    """The headers of a text, in order. A line in a text of several lines may be taken for one."""
    return list(_headers(lines))


def _headers(lines: Sequence[str]) -> Iterator[Header]:
    last: Dict[str, int] = {}  # of each array of tables, by its dotted name: the number of its last table
    for number, line in enumerate(lines):
        found = _HEADER.match(line)
        if found is None:
            continue
        names = [name.strip().strip("\"'") for name in found[2].split(".")]
        dotted = ".".join(names)
        if found[1] == "[[":
            last = {name: place for name, place in last.items() if not name.startswith(f"{dotted}.")}
            last[dotted] = last.get(dotted, -1) + 1
        path: List[Union[str, int]] = []
        for depth, name in enumerate(names, 1):
            path.append(name)
            place = last.get(".".join(names[:depth]))
            path += [] if place is None else [place]
        yield Header(number, tuple(path))


def line_of(text: str, path: Path) -> Optional[int]:
    """The number of the line of a key or a table, counted from 1; None if it is not found."""
    lines = text.split("\n")
    found, header_of_it = headers(lines), None
    for length in range(len(path), -1, -1):
        table = path[:length]
        begins = [header.line for header in found if header.path == table] if table else [-1]
        if not begins:
            continue
        header_of_it = begins[0] if table and header_of_it is None else header_of_it
        keys = [item for item in path[length:] if isinstance(item, str)]
        ends = [header.line for header in found if header.line > begins[0]] or [len(lines)]
        there = _key(lines, begins[0] + 1, ends[0], keys[0]) if keys else header_of_it
        if there is not None:
            return there + 1
    return None if header_of_it is None else header_of_it + 1


def _key(lines: Sequence[str], start: int, end: int, key: str) -> Optional[int]:
    for number in range(start, end):
        found = _KEY.match(lines[number])
        if found and found[1].strip("\"'") == key:
            return number
    return None


def replaced(text: str, table: Path, names: Sequence[str], new: str) -> str:
    """The text with other tables in place of the tables of these names inside of a table.

    Args:
        table: path of the table that they are in, ("stream", 1).
        names: "lines" and "zones", for `[[stream.lines]]` and `[[stream.zones]]`.
        new: tables to write at its end; "" for none.

    Raises:
        KeyError: the text has no such table.
    """
    lines = text.rstrip("\n").split("\n")
    found = headers(lines)
    if not any(header.path == table for header in found):
        raise KeyError(table)
    inside = [header for header in found if header.path[: len(table)] == table]
    following = [header.line for header in found if header.line > inside[-1].line] or [len(lines)]
    end = _without_comments(lines, following[0]) if following[0] < len(lines) else len(lines)
    gone = set()
    for header in inside:
        if len(header.path) > len(table) and header.path[len(table)] in names:
            after = min([other.line for other in found if other.line > header.line], default=len(lines))
            gone |= set(range(header.line, min(_without_comments(lines, after) if after < len(lines) else after, end)))
    before = [line for number, line in enumerate(lines[:end]) if number not in gone]
    parts = ["\n".join(before).rstrip("\n"), new.strip("\n"), "\n".join(lines[end:]).strip("\n")]
    return "\n\n".join(part for part in parts if part) + "\n"


def _without_comments(lines: Sequence[str], header: int) -> int:
    """The line where the comments right above a header begin: they belong to it."""
    while header > 0 and lines[header - 1].lstrip().startswith("#"):
        header -= 1
    return header


def quoted(text: str) -> str:
    """A text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def shown(path: Path) -> str:
    """A path as people read it: `stream[0].lines[1].name`."""
    return "".join(f"[{item}]" if isinstance(item, int) else f".{item}" for item in path).lstrip(".")
