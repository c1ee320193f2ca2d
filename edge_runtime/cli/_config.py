"""edge-detect's configuration: every flag is a key of a TOML file, and each `[[stream]]` has settings of its own.

The keys are the parser's flags, with `_` for `-`. A new flag is a key without a line here.
"""

from __future__ import annotations

import argparse
import functools
import os
from pathlib import Path
from typing import Any, ClassVar, Dict, Iterator, List, NamedTuple, NoReturn, Optional, Type

from edge_runtime.cli import _config_values
from edge_runtime.cli._config_paths import located, without_references
from edge_runtime.errors import UsageError
from edge_runtime.files import fields, read, toml_tables
from edge_runtime.files.fields import show
from edge_runtime.text import secrets
from edge_runtime.text.escape import printable
from edge_runtime.track.places import FRACTIONS, PIXELS, Line, Place, Zone

NO_KEYS = ("help", "version", "config", "check", "files")
OF_SOURCE = ("size", "fps", "loop", "wait", "give_up", "patience", "ca_file")  # how it is opened
OF_STREAM = (
    "conf", "class_conf", "classes", "track", "track_lost", "track_hits", "track_by_class", "line", "zone", "output",
    *OF_SOURCE,
)  # fmt: skip
STREAM = "stream"
PLACES: Dict[str, Type[Place]] = {"lines": Line, "zones": Zone}
MEANT = {"streams": "stream", "line": "lines", "zone": "zones"}  # flags' names, for tables of ours
LONGEST, MOST_PLACES, LONGEST_NAME = 1 << 20, 1000, 200
Table = Dict[str, Any]


class Site(NamedTuple):
    """What a configuration says. The values are those that flags have, by their destination.

    Attributes:
        path: the file.
        flags: for all streams.
        streams: for each, with "source" and, if it has one, "name".
    """

    path: str
    flags: Table
    streams: List[Table]


def keys(parser: argparse.ArgumentParser) -> Dict[str, argparse.Action]:
    """The flag of each key."""
    return {
        option[2:].replace("-", "_"): action
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and action.dest not in NO_KEYS
    }


def load(path: str, parser: argparse.ArgumentParser, text: Optional[str] = None) -> Site:
    """Reads and checks a configuration. Nothing that it names is opened.

    Args:
        text: instead of what stands in the file.

    Raises:
        UsageError: the file is not readable or not TOML, or a key or value does not fit. It names file, line and key.
    """
    try:
        text = read.read_text(path, LONGEST) if text is None else text
        data = read.parse_toml(text)
    except ValueError as error:
        hint = "a configuration is a TOML file; docs/site.toml is an example"
        raise UsageError(f"config {path} is not readable: it {secrets.redact(str(error))}", hint=hint) from error
    try:
        return Reader(path, text, keys(parser)).site(data)
    except RecursionError as error:  # a key of thousands of words
        raise UsageError(f"config {path} is nested too deeply", hint="no key has more than three words") from error


class Reader:
    """Checks one file. A study of edge-bench is read in the same way.

    Attributes:
        places: keys that are tables of points.
    """

    places: ClassVar[Dict[str, Type[Place]]] = PLACES

    def __init__(self, path: str, text: str, known: Dict[str, argparse.Action]) -> None:
        self._path, self._text, self._known = path, text, known
        self._folder = folder_of(path)

    def site(self, data: Table) -> Site:
        self._refuse_secrets(data, ())
        streams = data.pop(STREAM, [])
        if not isinstance(streams, list) or not all(isinstance(table, dict) for table in streams):
            self._fail((STREAM,), f"stream is {show(streams)}", "expected tables: [[stream]]")
        flags = self._table(data, (), self._known)
        mine = {key: action for key, action in self._known.items() if action.dest in OF_STREAM}
        found = [self._stream(table, (STREAM, place), mine) for place, table in enumerate(streams)]
        self._refuse_twice(flags.get("sources", []), found)
        return Site(self._path, flags, found)

    def _stream(self, table: Table, at: toml_tables.Path, mine: Dict[str, argparse.Action]) -> Table:
        said: Table = {key: table.pop(key) for key in ("source", "name") if key in table}
        if "source" not in said:
            self._fail(at, f"{toml_tables.shown(at)} has no source", 'source = "clip.mp4", a camera number, an address')
        for key, value in said.items():
            if isinstance(value, bool) or not isinstance(value, (str, int) if key == "source" else str) or value == "":
                self._fail((*at, key), f"{toml_tables.shown((*at, key))} is {show(value)}", "expected a text")
        self._check_name((*at, "name"), said.get("name", "-"))
        said["source"] = located("sources", str(said["source"]), self._folder)
        return {**said, **self._table(table, at, mine)}

    def _table(self, table: Table, at: toml_tables.Path, known: Dict[str, argparse.Action]) -> Table:
        found: Table = {}
        seen: Dict[str, str] = {}
        for written, value in table.items():
            key, path = written.replace("-", "_"), (*at, written)
            if seen.setdefault(key, written) != written:
                self._fail(path, f"{toml_tables.shown(path)} is also written {seen[key]}", "leave one of them out")
            if key in self.places:
                found.setdefault(key[:-1], []).extend(self._places(self.places[key], value, path))
                continue
            if key not in known or (key in MEANT and _has_tables(value)):
                self._unknown(path, key, known)
            action = known[key]
            locate = functools.partial(located, action.dest, folder=self._folder)
            try:
                kept = _config_values.taken(action, value, locate)
            except ValueError as error:
                self._fail(path, f"{toml_tables.shown(path)}: {error}", _config_values.expected(action, value))
            found[action.dest] = [*found.get(action.dest, []), *kept] if isinstance(kept, list) else kept
        return found

    def _places(self, kind: Type[Place], value: Any, at: toml_tables.Path) -> Iterator[Place]:
        hint = f"expected tables: [[{'.'.join(str(item) for item in at if isinstance(item, str))}]]"
        if not isinstance(value, list):
            self._fail(at, f"{toml_tables.shown(at)} is {show(value)}", hint)
        if len(value) > MOST_PLACES:
            self._fail(at, f"{toml_tables.shown(at)} are {len(value)}", f"at most {MOST_PLACES}")
        for number, place in enumerate(value):
            path = (*at, number)
            if not isinstance(place, dict):
                self._fail(path, f"{toml_tables.shown(path)} is {show(place)}", hint)
            wrong = next((key for key in place if key not in ("name", FRACTIONS, PIXELS)), None)
            if wrong is not None:
                hint = fields.nearest(wrong, ("name", FRACTIONS, PIXELS))
                self._fail((*path, wrong), f"unknown key {toml_tables.shown((*path, wrong))}", hint)
            units = [unit for unit in (FRACTIONS, PIXELS) if unit in place]
            if "name" not in place or len(units) != 1:
                self._fail(path, f"{toml_tables.shown(path)} has {', '.join(place) or 'nothing'}",
                           "expected name, and either fractions or pixels: [[x, y], [x, y]]")  # fmt: skip
            self._check_name((*path, "name"), place["name"])
            first = next(other for other in value if other.get("name") == place["name"])
            if first is not place:
                said = f"{toml_tables.shown((*path, 'name'))} is {show(place['name'])}"
                self._fail((*path, "name"), said, f"{toml_tables.shown((*at, value.index(first)))} has it too")
            try:
                yield kind(place["name"], place[units[0]], units[0])
            except UsageError as error:
                self._fail(path, f"{toml_tables.shown(path)}: {error}", str(error.hint))

    def _unknown(self, path: toml_tables.Path, key: str, known: Dict[str, argparse.Action]) -> NoReturn:
        if key in MEANT:
            hint = f"did you mean [[{'.'.join([*map(str, path[:-1:2]), MEANT[key]])}]]?"
        elif key in self._known:
            hint = f"{key} is for all streams: write it above the first [[stream]]"
        elif key == "name":
            hint = "a name is of a [[stream]]"
        else:
            more = ["source", "name"] if len(path) > 1 else [STREAM]
            hint = fields.nearest(key, [*known, *PLACES, *more])
        self._fail(path, f"unknown key {toml_tables.shown(path)}", hint)

    def _check_name(self, at: toml_tables.Path, name: Any) -> None:
        fits = isinstance(name, str) and name.strip() and printable(name) == name and len(name) <= LONGEST_NAME
        if not fits:
            hint = f"expected a text of 1 to {LONGEST_NAME} characters, without line ends and control characters"
            self._fail(at, f"{toml_tables.shown(at)} is {show(name)}", hint)

    def _refuse_secrets(self, value: Any, at: toml_tables.Path) -> None:
        """A configuration is copied, shown and kept in repositories."""
        if isinstance(value, dict):
            for key, item in value.items():
                self._refuse_secrets(item, (*at, key))
        elif isinstance(value, list):
            for place, item in enumerate(value):
                self._refuse_secrets(item, (*at, place))
        elif isinstance(value, str) and secrets.holds_secret(without_references(value) if "output" in at else value):
            secrets.public(value)  # from here on no error shows it
            hint = 'say where it stands: "env:CAMERA" for a variable, "@camera.txt" for the first line of a file'
            self._fail(at, f"{toml_tables.shown(at)} has a password or a token", hint)

    def _refuse_twice(self, shared: List[str], streams: List[Table]) -> None:
        names = [key_of(table) for table in streams]
        for place, name in enumerate(names):
            if name in [*shared, *names[:place]]:
                key = "name" if "name" in streams[place] else "source"
                first = "source" if name in shared else toml_tables.shown((STREAM, names.index(name)))
                hint = f"{first} has it too: give each a name of its own"
                self._fail((STREAM, place, key), f"stream[{place}].{key} is {show(secrets.public(name))}", hint)

    def _fail(self, at: toml_tables.Path, fact: str, hint: str) -> NoReturn:
        line = toml_tables.line_of(self._text, at)
        raise UsageError(f"{self._path}{'' if line is None else f':{line}'}: {fact}", hint=hint)


def tables(args: argparse.Namespace) -> List[Table]:
    """A table for each source: for those of no `[[stream]]`, and those that are typed, with "source" alone."""
    own: List[Table] = args.site.streams if args.site else []
    return [*({"source": source} for source in args.sources[: len(args.sources) - len(own)]), *own]


def key_of(table: Table) -> str:
    """What a stream is known by: its name, or else its source."""
    return str(table.get("name") or table["source"])


def folder_of(path: str) -> Path:
    """The folder that paths are relative to. Links are not followed: a ConfigMap's leads somewhere else each time."""
    return Path(os.path.abspath(path)).parent


def index_of(data: Table, key: str, folder: Path) -> Optional[int]:
    """The place of the table of a stream in a file as it is written."""
    for place, table in enumerate(data.get(STREAM, [])):
        source = located("sources", str(table.get("source")), folder)
        if str(table.get("name") or source) == key:
            return place
    return None


def _has_tables(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value))


def short(path: str) -> str:
    """The name of a file, for messages."""
    return os.path.basename(path) or path
