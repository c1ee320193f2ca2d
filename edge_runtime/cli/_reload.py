"""Reads a configuration again while it runs: on SIGHUP, and after the page has saved lines and zones into it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import threading
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from edge_runtime.cli import _config, _site
from edge_runtime.cli._power import print_status
from edge_runtime.errors import EdgeError, UsageError
from edge_runtime.files import read, toml_tables
from edge_runtime.files.atomic import replace_file
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.loop.stream import Stream
from edge_runtime.text.escape import printable
from edge_runtime.track.places import FRACTIONS, PIXELS, Line, Place, Zone

OURS = {"site", "reload", "own_output", "typed", "sources", "streams", "config", "check", "conf", "classes", "gate"}
AT_START = ("source", "options", "sinks")  # of a stream; only a new one has others
GONE_ON = "the settings before go on"


class Reload:
    """Applies what has changed in a configuration to a pipeline.

    Args:
        args: what runs now.
        again: reads the file again, with the words that were typed.
    """

    def __init__(self, args: argparse.Namespace, again: Callable[[], argparse.Namespace]) -> None:
        self._path, self._again, self._typed = args.site.path, again, set(args.typed)
        self._flags = _flags(args)
        self._output = list(args.output)
        self._streams: Dict[str, Stream] = {}
        self._names: Dict[str, str] = {}  # of the source of each stream that runs
        self._pipeline: Optional[Pipeline] = None
        self._asked, self._lock = threading.Event(), threading.Lock()

    @contextlib.contextmanager
    def of(self, pipeline: Pipeline, streams: Sequence[Stream]) -> Iterator[None]:
        """Reloads for this pipeline, which runs these streams, when SIGHUP comes, until the block ends."""
        self._pipeline, self._streams = pipeline, _site.by_key(streams)
        known = {id(stream): name for name, stream in pipeline.streams.items()}
        self._names = {key: known[id(stream)] for key, stream in self._streams.items() if id(stream) in known}
        with self.hears(pipeline.stop):
            yield

    @contextlib.contextmanager
    def hears(self, stop: Callable[[], None]) -> Iterator[None]:
        """Notes SIGHUP until the block ends. If it comes because the terminal was closed, it calls `stop`."""
        if threading.current_thread() is not threading.main_thread():  # signals cannot be set here
            yield
            return
        terminal = _has_terminal()

        def hang_up(*_: object) -> None:
            if terminal and not _has_terminal():
                stop()
            else:
                self._asked.set()

        before = signal.signal(signal.SIGHUP, hang_up)
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, before or signal.SIG_DFL)

    def beside(self, tick: Callable[[], None]) -> Callable[[], None]:
        """Reloads beside the other work of each tick, if it was asked for."""

        def both() -> None:
            tick()
            if self._asked.is_set():
                self._asked.clear()
                self.reload()

        return both

    def reload(self) -> None:
        """Reads the file again, applies what can be applied, and says what was done. An error changes nothing."""
        try:
            with self._lock:
                print_status(f"config: {_config.short(self._path)} is read again: {self._apply()}")
        except EdgeError as error:
            print_status(f"config: {error}; {GONE_ON}")
            print_status(f"hint: {error.hint}")
        except SystemExit:
            print_status(f"config: {self._path} and what is typed do not go together; {GONE_ON}")

    def save(self, source: str, lines: Tuple[Line, ...], zones: Tuple[Zone, ...]) -> None:
        """Writes the lines and zones of a source into the file, and applies them. See `sinks.SinkOptions.save`.

        Raises:
            UsageError: the file or the source does not allow it.
        """
        with self._lock:
            self._write(source, lines, zones)
            print_status(f"config: lines and zones of {source} saved: {self._apply()}")

    def _write(self, source: str, lines: Sequence[Place], zones: Sequence[Place]) -> None:
        self._again()  # nothing is written into a file that is wrong
        text = read.read_text(self._path)
        data = read.parse_toml(text)
        key = next((key for key, name in self._names.items() if name == source), "")
        place = _config.index_of(data, key, Path(self._path).resolve().parent)
        if place is None:
            raise UsageError(f"{source} has no [[stream]] in {self._path}", hint="write one, with its source")
        if self._typed & {"line", "zone"}:
            raise UsageError("lines or zones are typed, so those of the file do not count", hint="leave the flags out")
        wanted, table = deepcopy(data), (_config.STREAM, place)
        kinds = {"lines": lines, "zones": zones}
        for kind, places in kinds.items():
            wanted[_config.STREAM][place].pop(kind, None)
            if places:
                wanted[_config.STREAM][place][kind] = [_plain(each) for each in places]
        try:
            new = toml_tables.replaced(text, table, list(kinds), _tables(kinds))
            fits = read.parse_toml(new) == wanted
        except (KeyError, ValueError):
            fits = False
        if not fits:
            hint = "write them as tables: [[stream.lines]] and [[stream.zones]] below [[stream]]"
            raise UsageError(
                f"{self._path} has the lines or zones of {source} in a form that is not replaced", hint=hint
            )
        replace_file(Path(self._path), new.encode())

    def _apply(self) -> str:
        """Applies the file. Returns what was done."""
        pipeline, args = self._pipeline, self._again()
        if pipeline is None:
            raise UsageError("nothing runs yet", hint="wait until it runs")
        later = [name for name, value in _flags(args).items() if value != self._flags.get(name)]
        later += ["output"] if args.output != self._output else []
        wanted = _site.by_key(_site.streams(args))
        added = {key: stream for key, stream in wanted.items() if key not in self._names}
        removed = [key for key in self._names if key not in wanted]
        changed = {key: stream for key, stream in wanted.items() if self._differs(key, stream)}
        for key in added.keys() | changed.keys():
            pipeline.check(wanted[key], self._names.get(key))
        if removed and len(removed) == len(self._names) and not added:
            raise UsageError("it has no stream any more", hint="leave one, or end the run")
        failed = self._change(pipeline, added, changed, removed)
        later += [f"{name} of {key}" for key in changed for name in self._at_start(key, changed[key])]
        self._streams = {key: self._kept(key, stream) for key, stream in wanted.items()}
        parts = [("added", [key for key in added if key in self._names]), ("changed", list(changed)),
                 ("removed", removed), ("not opened", failed), ("only at the next start", later)]  # fmt: skip
        return "; ".join(f"{word} {', '.join(map(printable, items))}" for word, items in parts if items) or "no change"

    def _change(
        self, pipeline: Pipeline, added: Dict[str, Stream], changed: Dict[str, Stream], removed: List[str]
    ) -> List[str]:
        """First what is new, so that the run never lacks a source. Returns what could not be opened."""
        failed = []
        for key, stream in added.items():
            try:
                self._names[key] = pipeline.add(stream).name
            except EdgeError as error:
                failed.append(f"{key} ({error})")
        for key, stream in changed.items():
            pipeline.change(self._names[key], stream)
        for key in removed if len(self._names) > len(removed) else []:
            name = self._names.pop(key)
            if name in [source.name for source in pipeline.sources]:
                pipeline.remove(name)
        return failed

    def _differs(self, key: str, stream: Stream) -> bool:
        return key in self._names and stream != self._streams[key]

    def _at_start(self, key: str, stream: Stream) -> List[str]:
        return [name for name in AT_START if getattr(stream, name) != getattr(self._streams[key], name)]

    def _kept(self, key: str, stream: Stream) -> Stream:
        """What runs now: what is only for the start is as before."""
        before = self._streams.get(key)
        return stream if before is None else replace(stream, **{name: getattr(before, name) for name in AT_START})


def _flags(args: argparse.Namespace) -> Dict[str, Any]:
    """The flags that hold for the whole run."""
    left = OURS | set(_config.OF_STREAM)
    return {name: value for name, value in vars(args).items() if name not in left}


def _plain(place: Place) -> Dict[str, Any]:
    unit = FRACTIONS if place.fractions else PIXELS
    return {"name": place.name, unit: [[round(x, 4), round(y, 4)] for x, y in place.points]}


def _tables(kinds: Dict[str, Sequence[Place]]) -> str:
    text = ""
    for kind, places in kinds.items():
        for place in map(_plain, places):
            unit = FRACTIONS if FRACTIONS in place else PIXELS
            name, points = toml_tables.quoted(place["name"]), json.dumps(place[unit])
            text += f"[[stream.{kind}]]\nname = {name}\n{unit} = {points}\n\n"
    return text


def _has_terminal() -> bool:
    """Whether the process has a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError:
        return False
    return True
