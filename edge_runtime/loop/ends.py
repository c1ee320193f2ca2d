"""The sources and sinks of a pipeline: which of them it opened itself, and which failed or hung."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import replace
from time import monotonic
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple, Union

from edge_runtime import sinks as sink_family
from edge_runtime import sources as source_family
from edge_runtime.errors import EdgeError, UsageError
from edge_runtime.loop.targets import list_sinks, list_sources
from edge_runtime.sinks import AnySink, SinkOptions
from edge_runtime.sources import Source, SourceOptions
from edge_runtime.types.packets import PacketRing

USUAL_FPS = 30.0
START_S = 3.0  # live sources that do not answer in this time are opened later

log = logging.getLogger("edge_runtime")


class Ends:
    """Opens outputs first, then sources, so that no camera starts if an output cannot be written.

    One of several live sources may be away, and is then opened later. So may a single one with `SourceOptions.wait`.

    Args:
        source, sinks: as `Pipeline` takes them.
        options: for the sources that are opened.
        sink_options: for the sinks that are opened.
        fail_fast: a source that cannot be opened is an error, even if there are others.

    Attributes:
        sources, sinks: those that are open. Of sources of the same name, all but the first got a number.
        errors: errors of the sources that could not be opened.
        failed: `{"source", "error"}` of each source that could not be opened or broke; `{"sink", "error"}` of a sink.
        left_behind: names of the sources and sinks that hung at the end.

    Raises:
        SinkError, SourceError, UsageError: one cannot be opened, or one open source is given twice. All that was opened
            here is closed again.
    """

    def __init__(
        self, source: Any, sinks: Any, options: SourceOptions, sink_options: SinkOptions, fail_fast: bool
    ) -> None:
        self.sources: List[Source] = []
        self.sinks: List[AnySink] = []
        self._rings: Dict[str, PacketRing] = {}  # by source
        self.errors: List[BaseException] = []
        self.failed: List[Dict[str, str]] = []
        self.left_behind: List[str] = []
        self._broken: Set[str] = set()  # names of sources that failed and are still listed
        self._handed_over = False
        listed = list_sources(source)
        self._others = len(listed)
        options = replace(options, wait=options.wait or (len(listed) > 1 and not fail_fast))
        with ExitStack() as undo:
            self._open_sinks(list_sinks(sinks), sink_options, undo)
            rings = self._open_sources(listed, options, fail_fast, undo)
            _name_apart(self.sources)
            self._rings.update({source.name: ring for source, ring in rings if ring})
            for sink in self.sinks:
                sink_family.begin(sink, _rates(self.sources))
                if hasattr(sink, "follow"):
                    sink.follow(self._rings)
            self._opened = undo.pop_all()

    def hand_over(self) -> None:
        """Notes that the threads of the run will close everything."""
        self._opened.pop_all()
        self._handed_over = True

    def add(self, target: Any, options: SourceOptions) -> Source:
        """Opens one more source. It gets a number if its name is taken.

        Raises:
            SourceError, UsageError: it cannot be opened, or it is one of those that run.
        """
        (item,) = list_sources(target)
        ring = self._ring(item) if isinstance(item, str) else None
        source = source_family.open(item, replace(options, packets=ring)) if isinstance(item, str) else item
        _name_apart([*self.sources, source])
        if ring is not None:
            self._rings[source.name] = ring
        self.sources.append(source)
        self._others += 1
        if not self._handed_over:
            self._opened.callback(source.close)
        return source

    def remove(self, source: Source) -> None:
        """Forgets a source, so that its name is free again."""
        self.sources.remove(source)
        self._rings.pop(source.name, None)
        self._others -= source.name not in self._broken
        self._broken.discard(source.name)

    def rate(self, source: Source) -> float:
        """Frames per second of a source, as outputs take it."""
        return _rates(self.sources)[source.name]

    def close(self) -> None:
        """Closes what was opened here, unless the run closes it. It may be called more than once."""
        self._opened.close()

    def report(self, name: str, error: BaseException) -> None:
        """Notes a failed source. If others go on, it is reported at once. Otherwise it is the error of the run."""
        self.failed.append({"source": name, "error": str(error)})
        self._broken.add(name)
        self._others -= 1
        if self._others:
            log.warning("source %s failed, the others go on: %s", name, error)

    def report_sink(self, name: str, error: BaseException, others: bool) -> None:
        """Notes a failed sink. If others go on, it is reported at once."""
        self.failed.append({"sink": name, "error": str(error)})
        if others:
            log.warning("output %s failed, the others go on: %s", name, error)

    def leave(self, name: str, grace_s: float) -> str:
        """Reports a sink or source that hangs, and returns the message."""
        said = f"{name} did not end within {grace_s:g} s and is left behind"
        self.left_behind.append(name)
        log.warning(said)
        return said

    def _open_sinks(self, listed: List[Union[str, AnySink]], options: SinkOptions, undo: ExitStack) -> None:
        for item in listed:
            if isinstance(item, str):
                opener = sink_family.open_events if sink_family.takes_events(item) else sink_family.open
                self.sinks.append(opener(item, options))
                undo.callback(self.sinks[-1].close)
            else:
                self.sinks.append(item)

    def _open_sources(
        self, listed: List[Union[str, Source]], options: SourceOptions, fail_fast: bool, undo: ExitStack
    ) -> List[Tuple[Source, Optional[PacketRing]]]:
        rings: List[Tuple[Source, Optional[PacketRing]]] = []
        for item in listed:
            if not isinstance(item, str):
                self.sources.append(item)
                continue
            options = replace(options, packets=self._ring(item))
            try:
                self.sources.append(source_family.open(item, options))
                rings.append((self.sources[-1], options.packets))
                undo.callback(self.sources[-1].close)
            except UsageError:
                raise
            except EdgeError as error:
                if fail_fast:
                    raise
                self.errors.append(error)
                self.report(source_family.public_name(item), error)
        if not self.sources:
            raise self.errors[0]
        until_s = monotonic() + START_S
        for source in self.sources:
            settle = getattr(source, "settle", None)
            if settle is not None:
                settle(max(0.0, until_s - monotonic()))
        return rings

    def _ring(self, target: str) -> Optional[PacketRing]:
        """A place for the encoded pictures of a source, if a sink needs them. It keeps more of what can be repeated."""
        keep_s = [float(sink.before_s) for sink in self.sinks if hasattr(sink, "before_s")]
        if not keep_s:
            return None
        return PacketRing(None if source_family.repeatable(target) else max(keep_s))


def _name_apart(sources: Sequence[Source]) -> None:
    """Numbers sources of the same name, because counts, files and the grid's tiles go by the name of the source."""
    names: Set[str] = set()
    for place, source in enumerate(sources):
        if any(source is other for other in sources[:place]):
            raise UsageError(f"{source.name} is given twice, and is one open source", hint="open it once more")
        name, number = source.name, 1
        while source.name in names:
            number += 1
            source.name = f"{name} ({number})"
        names.add(source.name)


def _rates(sources: Sequence[Source]) -> Dict[str, float]:
    """Frames per second of each source, by name; a picture beside videos has the rate of the fastest of them."""
    known = {source.name: source.fps or USUAL_FPS for source in sources if source.fps or source.live}
    return {source.name: known.get(source.name, max(known.values(), default=USUAL_FPS)) for source in sources}
