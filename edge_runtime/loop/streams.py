"""The sources of a run: their threads, which come and go, and the counts of each."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from edge_runtime.errors import UsageError
from edge_runtime.loop.capture import Shown, SourceThread
from edge_runtime.loop.monitor import Monitor
from edge_runtime.loop.motion import Motion
from edge_runtime.loop.ring import Inbox, Ring
from edge_runtime.sources import Source
from edge_runtime.types import Result

Failed = Callable[[Source, BaseException], None]
ENDED = "the run has ended, or ends now"
KEPT = 100  # removed sources whose counts are kept


class Streams:
    """Reads sources, each in its thread. Any thread may add and remove.

    Args:
        sources: those to begin with.
        inbox: takes their frames.
        stopping: set when the run must end soon.
        failed: called with a source and its error. Errors of a source that was removed do not count.
        gated: whether motion is looked for.
        shown: see `SourceThread`.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        inbox: Inbox,
        stopping: threading.Event,
        failed: Failed,
        gated: bool = False,
        shown: Shown = lambda name: None,
    ) -> None:
        self._inbox, self._stopping, self._report, self._gated = inbox, stopping, failed, gated
        self._shown = shown
        self._lock = threading.Lock()
        self._ring: Optional[Callable[[], Ring]] = None
        self._captures: List[SourceThread] = []
        self._names: List[str] = []  # by number, also of those that were removed
        self._monitors: Dict[str, Monitor] = {}
        self._removed: Dict[str, None] = {}  # names, in order
        for source in sources:
            self.add(source)

    def start(self, ring: Callable[[], Ring]) -> None:
        """Starts the threads. `ring` makes the buffers of one source."""
        with self._lock:
            self._ring = ring
            for capture in self._captures:
                capture.start(ring())

    def add(self, source: Source) -> None:
        """Reads one more source from now on, or from the start on.

        Raises:
            UsageError: nobody takes frames any more.
        """
        with self._lock:
            number = self._inbox.add()
            if number is None:
                raise UsageError(f"{source.name} comes too late: {ENDED}", hint="make a new Pipeline")
            motion = Motion() if self._gated else None
            capture = SourceThread(number, source, self._inbox, self._stopping, self._failed, motion, self._shown)
            self._names.append(source.name)
            self._removed.pop(source.name, None)
            self._monitors.setdefault(source.name, Monitor())
            self._captures.append(capture)
            if self._ring is not None:
                capture.start(self._ring())

    def take_out(self, name: str) -> SourceThread:
        """Reads no more from a source, and releases its waiting frames. Its counts stay. The caller closes it.

        Raises:
            UsageError: no source has this name.
        """
        with self._lock:
            capture = next((each for each in self._captures if each.source.name == name), None)
            if capture is None:
                there = ", ".join(each.source.name for each in self._captures)
                raise UsageError(f"there is no source {name!r}", hint=f"there is {there or 'none'}")
            self._captures.remove(capture)
            self._removed[name] = None
            while len(self._removed) > KEPT:
                oldest = next(iter(self._removed))
                del self._removed[oldest], self._monitors[oldest]
        self._inbox.remove(capture.number)
        return capture

    def close(self, grace_s: float) -> List[str]:
        """Closes all sources. Returns the names of those that hang for `grace_s` seconds."""
        with self._lock:
            captures = list(self._captures)
        for capture in captures:
            capture.close()
        until_s = monotonic() + grace_s
        return [capture.source.name for capture in captures if not capture.join(until_s)]

    def name(self, number: int) -> str:
        """The name of the source of this number, also of one that was removed."""
        return self._names[number]

    def write(self, source: int, result: Result) -> None:
        """Counts one result of the source of this number."""
        monitor = self._monitors.get(self._names[source])
        if monitor is not None:
            monitor.write(result)

    @property
    def current(self) -> List[Tuple[Source, Monitor, bool]]:
        """Of each source that was not removed: the source, its counts, and whether it gives no more frames."""
        with self._lock:
            return [(each.source, self._monitors[each.source.name], each.done) for each in self._captures]

    @property
    def reading(self) -> Set[str]:
        """Names of the sources that may give more frames, or have some that were not looked at."""
        return {capture.source.name for capture in list(self._captures) if not capture.done}

    @property
    def dropped(self) -> Dict[str, int]:
        """By name of each source in `summary`, the number of frames that a newer one replaced before detection."""
        found: Dict[str, int] = {}
        for name, count in zip(list(self._names), list(self._inbox.dropped)):
            found[name] = found.get(name, 0) + count
        return {name: count for name, count in found.items() if name in self._monitors}

    def summary(self) -> Dict[str, Dict[str, Any]]:
        """Plain data by name of each source, also of those that were removed: see `Monitor.summary`, and dropped.

        A source that was removed and is added again under its name goes on with its counts.
        """
        monitors, dropped = list(self._monitors.items()), self.dropped
        return {
            name: {**monitor.summary(), "gated": monitor.gated, "dropped": dropped.get(name, 0)}
            for name, monitor in monitors
        }

    def _failed(self, source: Source, error: BaseException) -> None:
        if any(capture.source is source for capture in list(self._captures)):
            self._report(source, error)
