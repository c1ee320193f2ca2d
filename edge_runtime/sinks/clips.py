"""Writes a clip of what happened, from some seconds before it on, as the camera encoded it if it did."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any, Dict, Mapping, Set, Tuple

from edge_runtime.imaging.pyav import failures, load_av
from edge_runtime.imaging.remux import Remuxer
from edge_runtime.sinks import SinkOptions, _query
from edge_runtime.sinks._clip_store import ClipStore
from edge_runtime.sinks._paths import CLIPS
from edge_runtime.types.events import Event
from edge_runtime.types.packets import PacketRing, Part

HANDLES = (CLIPS,)
BYTES = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
FIELDS = {
    "before": _query.number(0, 60, {"s": 1}),
    "after": _query.number(0, 60, {"s": 1}),
    "longest": _query.number(1, 3600, {"s": 1}),
    "days": _query.number(0, 36_500, {}),
    "bytes": _query.number(1, 1e15, BYTES),
}
DEFAULTS = {"before": 5.0, "after": 5.0, "longest": 60.0, "bytes": 10e9}
BEGINS, GOES_ON = ("new", "crossing"), ("new", "crossing", "update", "end")
MOST_KEYS = 100
CLEAN_S = 3600.0  # old clips are looked for so often, also if nothing happens

log = logging.getLogger("edge_runtime")


def open_events(target: str, options: SinkOptions) -> ClipSink:
    """Opens `clips:FOLDER`, or with options behind it: `clips:FOLDER?before=5&after=5&longest=60&days=7&bytes=10G`.

    Raises:
        BackendUnavailable: PyAV cannot be loaded.
        SinkError: the folder cannot be written.
        UsageError: another run writes there, or an option is unknown.
    """
    folder, chosen = _parsed(target)
    return ClipSink(target, ClipStore(folder, chosen["bytes"], chosen.get("days")), chosen)


def check(target: str, options: SinkOptions) -> str:
    """See `sinks.check`."""
    _parsed(target)
    return ""


def _parsed(target: str) -> Tuple[str, Dict[str, float]]:
    """The folder and the options."""
    load_av()
    folder, given = _query.split_query(target[len(CLIPS) :])
    return folder, {**DEFAULTS, **_query.options(target, given, FIELDS)}


class Recording:
    """A clip that is being written.

    Args:
        path: its file.
        number: of its first picture in the ring.
        part: of the stream that it shows.
    """

    def __init__(self, path: str, ring: PacketRing, number: int, part: Part) -> None:
        self.ring, self._number, self._part = ring, number, part
        self._file = Remuxer(path, part.header)
        self.keys: Set[str] = set()
        self._present: Set[str] = set()  # of the objects that have not ended
        self.begins_s = self.shown_s = self._until_s = self._last_s = 0.0
        self.pictures, self.over, self.cut = 0, False, False

    def extend(self, event: Event, after_s: float, longest_s: float) -> None:
        """It goes on for `after_s` seconds behind the last event of an object, and as long as there are objects."""
        if event.kind == "end":
            self._present.discard(event.key)
        elif len(self._present) < MOST_KEYS:
            self._present.add(event.key)
        if len(self.keys) < MOST_KEYS:
            self.keys.add(event.key)
        self._last_s = max(self._last_s, float(event.data["last_s" if event.kind == "end" else "timestamp_s"]))
        until_s = float("inf") if self._present else self._last_s + after_s
        self._until_s = min(until_s, (self.begins_s if self.pictures else self._last_s) + longest_s)

    def pull(self) -> None:
        """Writes what has come. `over` says whether all of it is written, or (`cut`) the ring forgot what follows.

        Raises:
            av.error.FFmpegError, OSError, ValueError: it could not be written.
        """
        for kept in self.ring.after(self._number):
            time_s = self.ring.time_of(kept)
            self.cut = bool(self.pictures and kept.part is self._part and kept.number != self._number)
            if self.cut or kept.part is not self._part or (time_s > self._until_s and self.pictures):
                self.over = True
                return
            self._file.add(kept.packet)
            self.begins_s = self.begins_s if self.pictures else time_s
            self.shown_s, self.pictures, self._number = time_s, self.pictures + 1, kept.number + 1

    def close(self) -> None:
        """Finishes the file.

        Raises:
            av.error.FFmpegError, OSError, ValueError: it could not be written.
        """
        self._file.close()


class ClipSink:
    """Writes a clip for each time in which something happens in a source.

    It begins at the last key picture that is `before` seconds before the first event, and ends `after` seconds after
    the last one, or when it is `longest` seconds long. A new object, or one that crosses a line, begins a clip. A clip
    that cannot be written is counted, and all else goes on.

    Args:
        options: values of `FIELDS`.

    Attributes:
        before_s: see `sinks`.
    """

    def __init__(self, target: str, store: ClipStore, options: Mapping[str, Any]) -> None:
        self.target, self._store, self._options = target, store, options
        self.before_s = float(options["before"])
        self._rings: Mapping[str, PacketRing] = {}
        self._recordings: Dict[str, Recording] = {}  # by source
        self._names: Dict[str, str] = {}
        self._clips = self._lost = 0
        self._why = ""
        self._clean()

    def follow(self, rings: Mapping[str, PacketRing]) -> None:
        """See `sinks`."""
        self._rings = rings

    def take(self, event: Event) -> None:
        """See `EventSink.take`."""
        for source in list(self._recordings):
            self._pull(source)
        if time.monotonic() - self._cleaned_s > CLEAN_S:
            self._clean()
        if event.key and event.kind in GOES_ON:
            if event.kind in BEGINS and event.source not in self._recordings:
                self._begin(event)
            self._extend(event)

    def summary(self) -> Dict[str, Any]:
        """See `EventSink.summary`."""
        lost = {"clips_lost": self._lost, "why": self._why} if self._lost else {}
        return {"clips": self._clips, "removed": self._store.removed, **lost}

    def close(self) -> None:
        """See `EventSink.close`."""
        for source in list(self._recordings):
            self._pull(source)
            self._end(source)
        self._store.close()

    def _begin(self, event: Event) -> None:
        ring = self._rings.get(event.source)
        at_s = float(event.data["timestamp_s"])
        first = ring.begin_of(at_s - self.before_s) if ring else None
        if ring is None or first is None:
            why = ring.why if ring else "the source was removed, or opened by the caller"
            self._lose(event.source, why or "no key picture has come yet")
            return
        number, part = first
        name = f"{event.key}-{event.number}.{'mkv' if part.codec == 'mjpeg' else 'mp4'}"
        try:
            self._store.note(name, {"source": event.source, "time": event.time_s})
            self._recordings[event.source] = Recording(str(self._store.path(name)), ring, number, part)
            self._names[event.source] = name
        except failures() as error:
            self._store.forget(name)
            self._lose(event.source, str(error))

    def _extend(self, event: Event) -> None:
        recording = self._recordings.get(event.source)
        if recording is not None:
            recording.extend(event, float(self._options["after"]), float(self._options["longest"]))

    def _pull(self, source: str) -> None:
        try:
            self._recordings[source].pull()
        except failures() as error:
            self._give_up(source, error)
            return
        recording = self._recordings[source]
        if recording.over or recording.ring is not self._rings.get(source):  # the source was removed
            self._end(source)

    def _end(self, source: str) -> None:
        recording = self._recordings.get(source)
        if recording is None:
            return
        try:
            recording.close()
            seconds = round(recording.shown_s - recording.begins_s, 3)
            about = {"begins_s": round(recording.begins_s, 3), "seconds": seconds, "keys": sorted(recording.keys)}
            if recording.cut:
                log.warning("a clip of %s ends early: what follows came faster than it was written", source)
                about["cut"] = True
            self._store.note(self._names[source], about)
        except failures() as error:
            self._give_up(source, error)
            return
        self._clips += 1
        del self._recordings[source]
        self._clean()

    def _give_up(self, source: str, error: Exception) -> None:
        recording = self._recordings.pop(source)
        with suppress(*failures()):
            recording.close()
        self._store.forget(self._names[source])
        self._clean()
        self._lose(source, str(error))

    def _clean(self) -> None:
        self._cleaned_s = time.monotonic()
        self._store.clean([self._names[source] for source in self._recordings])

    def _lose(self, source: str, why: str) -> None:
        if not self._lost:
            log.warning("a clip of %s is lost, all else goes on: %s", source, why)
        self._lost, self._why = self._lost + 1, why
