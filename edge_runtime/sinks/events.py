"""Writes events as JSON Lines: one object per event, at once. Pictures are files in a folder beside."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, Tuple

from edge_runtime.errors import EdgeError, SinkError
from edge_runtime.files.atomic import replace_file
from edge_runtime.files.growing import GrowingFile
from edge_runtime.sinks import SinkOptions
from edge_runtime.sinks._paths import EVENTS
from edge_runtime.sinks._query import options as read_options
from edge_runtime.sinks._query import split_query, yes_or_no
from edge_runtime.types.events import Event

HANDLES = (EVENTS,)
PRIORITY = 1  # before the suffix: events:out.jsonl has a line per event
MOST_KNOWN = 10_000
FIELDS = {"pictures": yes_or_no()}


def open_events(target: str, options: SinkOptions) -> EventFile:
    """Opens `events:out.jsonl`, or `events:-` for standard output. Without pictures: `events:out.jsonl?pictures=no`.

    Raises:
        SinkError: it cannot be written.
        UsageError: another run writes it, or an option is unknown.
    """
    return EventFile(target, *_parsed(target))


def check(target: str, options: SinkOptions) -> str:
    """See `sinks.check`."""
    _parsed(target)
    return ""


def _parsed(target: str) -> Tuple[str, bool]:
    """The file, and whether there are pictures."""
    path, given = split_query(target[len(EVENTS) :])
    return path, bool(read_options(target, given, FIELDS).get("pictures", path != "-"))


class EventFile:
    """Writes one line per event at once. A kill loses no line. A full disk leaves complete lines only.

    The first line replaces an earlier file by a new one. `out.jsonl` has its pictures in `out.pictures/`, a file for
    each object with the name `KEY.jpg`. A better picture replaces the file. A picture that cannot be written is
    counted, and its line has none.

    Attributes:
        closed: the reader of standard output has ended, like `head`, so the run ends.
    """

    def __init__(self, target: str, path: str, pictures: bool) -> None:
        self.target, self.closed = target, False
        self._path = path
        self._file = GrowingFile(path)
        self._folder = Path(path if path != "-" else "events").with_suffix(".pictures") if pictures else None
        self._written: Dict[str, int] = {}  # hashes, of the objects that have not ended
        self._pictures = self._lost = 0
        self._why = ""

    def take(self, event: Event) -> None:
        """See `EventSink.take`."""
        name = self._picture(event)
        line = json.dumps({**event.record(), **({"picture": name} if name else {})}, separators=(",", ":"))
        try:
            self._file.append(line.encode() + b"\n")
        except SinkError as error:
            if self._path != "-" or not isinstance(error.__cause__, BrokenPipeError):
                raise
            self.closed = True

    def summary(self) -> Dict[str, Any]:
        """See `EventSink.summary`."""
        lost = {"pictures_lost": self._lost, "why": self._why} if self._lost else {}
        return {"pictures": self._pictures, **lost}

    def close(self) -> None:
        """See `EventSink.close`. Without any event, no file is created."""
        self._file.close()

    def _picture(self, event: Event) -> str:
        """The name of the object's picture from the folder of the file; "" without one."""
        if self._folder is None or event.picture is None:
            return ""
        path, known = self._folder / f"{event.key}.jpg", hash(event.picture)
        if self._written.get(event.key) != known and not self._write(path, event.picture):
            return ""
        self._written[event.key] = known
        if event.kind == "end" or len(self._written) > MOST_KNOWN:  # ends may be lost if the disk is too slow
            self._written.pop(event.key if event.kind == "end" else next(iter(self._written)))
        return f"{self._folder.name}/{path.name}"

    def _write(self, path: Path, picture: bytes) -> bool:
        try:
            os.makedirs(path.parent, exist_ok=True)
            replace_file(path, picture, durable=False)
        except (EdgeError, OSError) as error:
            self._lost, self._why = self._lost + 1, str(error)
            return False
        self._pictures += 1
        return True
