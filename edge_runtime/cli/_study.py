"""A study: many engines in one TOML file. Every flag of edge-bench is a key, and each `[[engine]]` has its own.

title = "YOLO Nano"
data = "voc2007"
[[engine]]
name = "YOLO Nano INT8"
file = "nano_int8.onnx"
form = "int8 PTQ"
base = "YOLO Nano"       # the form that it was made from
optional = "edge-calibrate makes it"    # the row is left out if the file is not there, and this is said
"""

from __future__ import annotations

from argparse import Action, Namespace
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Dict, List, NoReturn, Optional, Sequence, Type

from edge_runtime.benchmark.results import Row
from edge_runtime.cli import _config, _habits
from edge_runtime.cli._config_paths import located
from edge_runtime.cli._parser import Parser
from edge_runtime.cli._power import print_status
from edge_runtime.detect import engines
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.files import fields, read, toml_tables
from edge_runtime.files.fields import show
from edge_runtime.study import counting
from edge_runtime.study.published import published
from edge_runtime.track.places import Place

OF_MODEL = (
    "recipe",
    "family",
    "labels",
    "resize",
    "color",
    "mean",
    "std",
    "pad_value",
    "anchors",
    "head_layout",
    "imgsz",
)
OF_ENGINE = (*OF_MODEL, "conf", "iou", "max_det", "classes", "backend", "device", "threads", "batch", "streams", "data",
             "split", "max_images", "source")  # fmt: skip
NO_KEYS = ("engine", "json", "verbose")
# What an engine is called, and what stands in its row. The paths are the file, and an ONNX file to count for a plan.
TEXTS = ("file", "name", "system", "form", "base", "architecture", "counted", "optional", "seen")
LISTS = ("published",)
Path = toml_tables.Path


@dataclass(frozen=True)
class Entry:
    """One `[[engine]]`.

    Attributes:
        file: the model file.
        flags: its own flags, by their destination.
        about: what its row says: name, counts, and what the study says of it.
        left_out: how to make the file, if it is not there and need not be.
    """

    file: str
    flags: Dict[str, Any]
    about: Row
    left_out: str = ""


def arguments(parser: Parser, path: str, typed: Sequence[str]) -> Namespace:
    """The arguments of a study: what is typed, else what the file says. `study` holds an entry for each engine.

    Raises:
        UsageError: a key or value of the file does not fit. It names file, line and key.
    """
    reader = _Study(path, _text(path), _keys(parser))
    said = {dest for dest, value in vars(parser.typed(typed)).items() if value is not None}
    study = reader.study(said)
    parser.set_defaults(**reader.flags)
    named = [word for entry in study for word in ("--engine", entry.file)]
    args: Namespace = parser.parse_args([*named, *typed])
    if len(args.engine) != len(study):
        raise UsageError(f"an engine is typed beside those of {path}", hint="add an [[engine]] to the file")
    args.study = study
    return args


def _text(path: str) -> str:
    try:
        return read.read_text(path, _config.LONGEST)
    except ValueError as error:
        raise UsageError(f"study {path} is not readable: it {error}", hint="a study is a TOML file: README") from error


def _keys(parser: Parser) -> Dict[str, Action]:
    return {key: action for key, action in _config.keys(parser).items() if action.dest not in NO_KEYS}


def _is_there(file: str) -> bool:
    try:
        return bool(engines.find_engine(file))
    except ModelError:
        return False


class _Study(_config.Reader):
    """Checks one file. `flags` are those for all engines."""

    places: ClassVar[Dict[str, Type[Place]]] = {}

    def study(self, typed: Any) -> List[Entry]:
        data = self._parsed()
        self._refuse_secrets(data, ())
        title, tables = data.pop("title", ""), data.pop("engine", [])
        self._check_text(("title",), title)
        if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
            self._fail(
                ("engine",), "the study has no engine", "expected tables: [[engine]], each with file = 'MODEL.onnx'"
            )
        self.flags = self._table(data, (), self._known)
        mine = {key: action for key, action in self._known.items() if action.dest in OF_ENGINE}
        given = [self._entry(table, ("engine", number), mine, title) for number, table in enumerate(tables)]
        self._check_names([entry.about for entry in given])
        return [replace(entry, flags={dest: value for dest, value in entry.flags.items() if dest not in typed})
                for entry in self._there(given)]  # fmt: skip

    def _there(self, given: Sequence[Entry]) -> List[Entry]:
        """The engines without those that are left out. Each row says which ones are, so that the page does, too."""
        left_out = [f"{entry.about['name']}: {entry.left_out}" for entry in given if entry.left_out]
        for line in left_out:
            print_status(f"note: no row of {line}")
        kept = [entry for entry in given if not entry.left_out]
        if not kept:
            self._fail(("engine",), "no file of an engine is there", "; ".join(left_out))
        for entry in kept:
            entry.about["study"]["left_out"] = left_out
        return kept

    def _parsed(self) -> Dict[str, Any]:
        try:
            return read.parse_toml(self._text)
        except ValueError as error:
            raise UsageError(
                f"study {self._path} is not readable: it {error}", hint="a study is a TOML file"
            ) from error

    def _entry(self, table: Dict[str, Any], at: Path, mine: Dict[str, Action], title: str) -> Entry:
        said = {key: table.pop(key) for key in (*TEXTS, *LISTS) if key in table}
        for key, value in said.items():
            for item in value if key in LISTS and isinstance(value, list) else [value]:
                self._check_text((*at, key), item)
        if not said.get("file"):
            self._fail(at, f"{toml_tables.shown(at)} has no file", 'file = "MODEL.onnx"')
        foreign = _habits.foreign(said["file"])
        if foreign:
            self._fail((*at, "file"), f"{said['file']} is {foreign[0]}", foreign[1])
        flags = self._table(table, at, mine)
        file = located("engine", said["file"], self._folder)
        count = located("engine", said["counted"], self._folder) if "counted" in said else file
        side = flags.get("imgsz", self.flags.get("imgsz"))
        about = {"title": title, **{key: said.get(key, "") for key in ("system", "form", "base", "seen")}}
        asked = said.get("published", [])
        self._check_published((*at, "published"), asked if isinstance(asked, list) else [asked])
        about["published"] = asked if isinstance(asked, list) else [asked]
        name = said.get("name") or said["file"].rpartition("/")[2]
        if "optional" in said and not _is_there(file):
            missing = f"{said['file']} is not there; {said['optional']}"
            return Entry(file, flags, {"name": name, "study": about}, missing)
        counts = counting.counted(count, side[0] if side else None, said.get("architecture", ""))
        return Entry(file, flags, {"name": name, "counts": counts, "study": about})

    def _check_text(self, at: Path, value: Any) -> None:
        if not isinstance(value, str) or len(value) > _config.LONGEST_NAME or "\n" in value:
            self._fail(at, f"{toml_tables.shown(at)} is {show(value)}", "expected a text of one line")

    def _check_published(self, at: Path, systems: Sequence[str]) -> None:
        known = list(dict.fromkeys(one.system for one in published()))
        for system in systems:
            if system not in known:
                self._fail(at, f"no published row is of {show(system)}", fields.nearest(system, known))

    def _check_names(self, rows: Sequence[Row]) -> None:
        names = [row["name"] for row in rows]
        for number, row in enumerate(rows):
            at, base = ("engine", number), row["study"]["base"]
            if row["name"] in names[:number]:
                self._fail(
                    (*at, "name"), f"{toml_tables.shown(at)} is called {show(row['name'])}, too", "give it another name"
                )
            if base and base not in names:
                self._fail((*at, "base"), f"base is {show(base)}", fields.nearest(base, names))

    def _unknown(self, path: Path, key: str, known: Dict[str, Action]) -> NoReturn:
        of_engine = len(path) > 1
        more = (*TEXTS, *LISTS) if of_engine else ("title", "engine")
        hint: Optional[str] = fields.nearest(key, [*known, *more])
        if of_engine and key in self._known:
            hint = f"{key} is for all engines: write it above the first [[engine]]"
        elif not of_engine and key in (*TEXTS, *LISTS):
            hint = f"{key} is of an [[engine]]"
        self._fail(path, f"unknown key {toml_tables.shown(path)}", str(hint))
