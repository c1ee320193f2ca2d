"""What changes while a run goes on: sources come and go, and get other rules."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Callable, Optional

from edge_runtime import sinks as sink_family
from edge_runtime.errors import UsageError
from edge_runtime.loop.detecting import Detecting
from edge_runtime.loop.ends import Ends
from edge_runtime.loop.outputs import Outputs
from edge_runtime.loop.rules import RuleBook, Rules, check_events
from edge_runtime.loop.stream import Stream
from edge_runtime.loop.streams import Streams
from edge_runtime.loop.view import View
from edge_runtime.sources import Source, SourceOptions
from edge_runtime.track.tracker import check_change

NOBODY = -1  # number of a source that could not be added


class Changes:
    """Any thread may call it, at any time.

    Args:
        ends, rules, detecting, streams, outputs: of the run.
        view: makes what a sink may see of the run.
        added: called when outputs were added, before their source gives frames.
        began: whether the run has begun. Before, nobody else ends the outputs of a source.
        grace_s: a source that hangs for so long after it was removed is left behind.

    Attributes:
        lock: held while something changes.
    """

    def __init__(
        self,
        ends: Ends,
        rules: RuleBook,
        detecting: Detecting,
        streams: Streams,
        outputs: Outputs,
        *,
        view: Callable[[], View],
        added: Callable[[], None],
        began: Callable[[], bool],
        grace_s: float,
    ) -> None:
        self._ends, self._rules, self._detecting = ends, rules, detecting
        self._streams, self._outputs = streams, outputs
        self._view, self._added, self._began, self._grace_s = view, added, began, grace_s
        self.lock = threading.Lock()

    def add(self, stream: Stream, options: SourceOptions) -> Source:
        """See `Pipeline.add`."""
        rules = self._rules.made(stream)
        check_events((), [(stream, rules)])
        with self.lock:
            source, sinks = self._ends.add(stream, options)
            self._rules.set(source.name, rules)
            try:
                self._outputs.admit(source.name, self._ends.rate(source))
                for sink in sinks:
                    sink_family.observe(sink, self._view)
                    self._outputs.add(sink, source.name)
                self._added()
                self._streams.add(source)
            except BaseException:
                self._ends.remove(source)
                source.close()
                self._outputs.leave(NOBODY, source.name)
                self._outputs.gone(NOBODY)
                raise
            return source

    def change(self, name: str, stream: Stream) -> None:
        """See `Pipeline.change`."""
        with self.lock:
            self._rules.set(name, self.check(stream, name))

    def check(self, stream: Stream, name: Optional[str]) -> Rules:
        """See `Pipeline.check`."""
        rules = self._rules.made(stream)
        if name is not None:
            if name not in [source.name for source in list(self._ends.sources)]:
                raise UsageError(f"there is no source {name!r}", hint="the names are those of Pipeline.sources")
            before = self._rules.of(name)
            if rules.track and before.track:
                check_change(before.track, rules.track)
        return rules

    def remove(self, name: str) -> None:
        """See `Pipeline.remove`."""
        with self.lock:
            capture = self._streams.take_out(name)
            self._ends.remove(capture.source)
            self._outputs.leave(capture.number, name)
            self._detecting.forget(capture.number, name)
            if not self._began():
                self._outputs.gone(capture.number)
        capture.close()
        if not capture.join(monotonic() + self._grace_s):
            self._ends.leave(name, self._grace_s)
