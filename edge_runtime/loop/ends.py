"""The sources and sinks of a pipeline: which of them it opened itself, and which failed or hung."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from time import monotonic
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from edge_runtime import sinks as sink_family
from edge_runtime import sources as source_family
from edge_runtime.errors import EdgeError, UsageError
from edge_runtime.loop.opened import name_apart, rates_of
from edge_runtime.loop.stream import Stream, check_names, own_options
from edge_runtime.loop.targets import list_sinks, list_sources, list_streams
from edge_runtime.loop.watching import Recorder
from edge_runtime.sinks import AnySink, SinkOptions
from edge_runtime.sources import Source, SourceOptions
from edge_runtime.types.packets import MOST_BYTES, PacketRing

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
        recorder: wants encoded pictures; None if nobody does.

    Attributes:
        sources, sinks: those that are open. Of sources of the same name, all but the first got a number.
        errors: errors of the sources that could not be opened.
        rings: encoded pictures, by the name of the source.
        failed: `{"source", "error"}` of each source that could not be opened or broke; `{"sink", "error"}` of a sink.
        left_behind: names of the sources and sinks that hung at the end.

    Raises:
        SinkError, SourceError, UsageError: one cannot be opened, or one open source is given twice. All that was opened
            here is closed again.
    """

    def __init__(
        self,
        source: Any,
        sinks: Any,
        options: SourceOptions,
        sink_options: SinkOptions,
        fail_fast: bool,
        recorder: Optional[Recorder] = None,
    ) -> None:
        self._recorder = recorder
        self.sources: List[Source] = []
        self.sinks: List[AnySink] = []
        self.rings: Dict[str, PacketRing] = {}
        self.errors: List[BaseException] = []
        self._sink_options = sink_options
        self.failed: List[Dict[str, str]] = []
        self.left_behind: List[str] = []
        self._broken: Set[str] = set()  # names of sources that failed and are still listed
        self._handed_over = False
        listed = list_streams(source)
        check_names(listed)
        self._expected = self._others = len(listed)
        self.only: Dict[int, Source] = {}  # by the id of an output of one stream: its source
        self.streams: Dict[str, Stream] = {}  # by the name of the source
        options = replace(options, wait=options.wait or (len(listed) > 1 and not fail_fast))
        with ExitStack() as undo:
            self._common = self._open_sinks(sinks, undo)
            own = [self._open_sinks(stream.sinks, undo) for stream in listed]
            self.sinks += [*self._common, *chain(*own)]
            opened = self._open_sources(listed, own, options, fail_fast, undo)
            name_apart(self.sources)
            for place, source, ring in opened:
                self.streams[source.name] = listed[place]
                self.only.update({id(sink): source for sink in own[place]})
                if ring:
                    self.rings[source.name] = ring
            there = {place for place, _, _ in opened}
            self._close_useless(chain(*(sinks for place, sinks in enumerate(own) if place not in there)))
            rates = rates_of(self.sources)
            for sink in self.sinks:
                only = self.only.get(id(sink))
                self._begin(sink, rates if only is None else {only.name: rates[only.name]})
            self._opened = undo.pop_all()

    def hand_over(self) -> None:
        """Notes that the threads of the run will close everything."""
        self._opened.pop_all()
        self._handed_over = True

    def add(self, stream: Stream, options: SourceOptions) -> Tuple[Source, List[AnySink]]:
        """Opens one more source, and the outputs of this stream. It gets a number if its name is taken.

        Raises:
            SinkError, SourceError, UsageError: one cannot be opened, or the source is one of those that run.
        """
        if stream.name in [source.name for source in self.sources]:
            raise UsageError(f"there is a source {stream.name!r} already", hint="give each its own name")
        with ExitStack() as undo:
            sinks = self._open_sinks(stream.sinks, undo)
            source, ring = self._open_source(stream, options, sinks, undo)
            name_apart([*self.sources, source])
            rate = rates_of([*self.sources, source])[source.name]
            for sink in sinks:
                self._begin(sink, {source.name: rate})
            opened = undo.pop_all()
        self.sources.append(source)
        self.sinks += sinks
        self.only.update({id(sink): source for sink in sinks})
        if ring is not None:
            self.rings[source.name] = ring
            for each in self.rings.values() if self._recorder else ():
                each.limit(self._share(len(self.rings)))
        self._others += 1
        self.streams[source.name] = stream
        if not self._handed_over:
            self._opened.push(opened)
        return source, sinks

    def remove(self, source: Source) -> None:
        """Forgets a source and its outputs, so that its name is free again."""
        self.sources.remove(source)
        self.sinks = [sink for sink in self.sinks if self.only.get(id(sink)) is not source]
        self.only = {number: its for number, its in self.only.items() if its is not source}
        self.rings.pop(source.name, None)
        self._others -= source.name not in self._broken
        self._broken.discard(source.name)
        self.streams.pop(source.name, None)

    def shown(self, name: str) -> Optional[Tuple[int, float]]:
        """See `PacketRing.shown`. None for a source without encoded pictures."""
        ring = self.rings.get(name)
        return ring.shown if ring else None

    def rate(self, source: Source) -> float:
        """Frames per second of a source, as outputs take it."""
        return rates_of(self.sources)[source.name]

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

    def _open_sinks(self, given: Any, undo: ExitStack) -> List[AnySink]:
        found: List[AnySink] = []
        for item in list_sinks(given):
            if isinstance(item, str):
                opener = sink_family.open_events if sink_family.takes_events(item) else sink_family.open
                found.append(opener(item, self._sink_options))
                undo.callback(found[-1].close)
            else:
                found.append(item)
        return found

    def _close_useless(self, sinks: Iterable[AnySink]) -> None:
        """Closes the outputs of streams that could not be opened."""
        for sink in sinks:
            self.sinks.remove(sink)
            sink.close()

    def _begin(self, sink: AnySink, rates: Mapping[str, float]) -> None:
        """Tells an output what it must know of its sources."""
        sink_family.begin(sink, rates)
        if hasattr(sink, "follow"):
            sink.follow(self.rings)

    def _open_sources(
        self, listed: List[Stream], own: List[List[AnySink]], options: SourceOptions, fail_fast: bool, undo: ExitStack
    ) -> List[Tuple[int, Source, Optional[PacketRing]]]:
        found: List[Tuple[int, Source, Optional[PacketRing]]] = []
        for place, (stream, sinks) in enumerate(zip(listed, own)):
            try:
                source, ring = self._open_source(stream, own_options(stream, options), sinks, undo)
            except UsageError:
                raise
            except EdgeError as error:
                if fail_fast:
                    raise
                self.errors.append(error)
                self.report(source_family.public_name(str(list_sources(stream.source)[0])), error)
            else:
                self.sources.append(source)
                found.append((place, source, ring))
        if not self.sources:
            raise self.errors[0]
        until_s = monotonic() + START_S
        for source in self.sources:
            settle = getattr(source, "settle", None)
            if settle is not None:
                settle(max(0.0, until_s - monotonic()))
        return found

    def _open_source(
        self, stream: Stream, options: SourceOptions, sinks: List[AnySink], undo: ExitStack
    ) -> Tuple[Source, Optional[PacketRing]]:
        """The source of a stream with these outputs, and the place for its encoded pictures."""
        (source,) = list_sources(stream.source)
        ring = None
        if isinstance(source, str):
            ring = self._ring(source, [*self._common, *sinks])
            source = source_family.open(source, replace(options, packets=ring))
            undo.callback(source.close)
        source.name = stream.name or source.name
        return source, ring

    def _ring(self, target: str, sinks: Sequence[AnySink]) -> Optional[PacketRing]:
        """A place for encoded pictures of a source, if somebody needs them. It keeps more of what can be repeated."""
        keep_s = [float(sink.before_s) for sink in sinks if hasattr(sink, "before_s")]
        least = MOST_BYTES if keep_s else 0
        if self._recorder is not None:
            keep_s.append(self._recorder.seconds)
        if not keep_s:
            return None
        share = self._share(len(self.rings) + 1)
        return PacketRing(None if source_family.repeatable(target) else max(keep_s), max(least, share), least)

    def _share(self, rings: int) -> int:
        """Bytes of the recorder for each of so many rings."""
        return 0 if self._recorder is None else self._recorder.most_bytes // max(rings, self._expected)
