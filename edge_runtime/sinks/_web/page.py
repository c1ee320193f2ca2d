"""The sink of the page: it takes results and events, and serves what they show."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Set

from edge_runtime.sinks import RunView, SinkOptions
from edge_runtime.sinks._web.address import Address
from edge_runtime.sinks._web.guard import Guard
from edge_runtime.sinks._web.live import Live
from edge_runtime.sinks._web.server import Server
from edge_runtime.sinks._web.site import Site
from edge_runtime.sinks._web.state import State
from edge_runtime.sinks._web.streams import Streams
from edge_runtime.types import Result
from edge_runtime.types.events import Event


class PageSink:
    """A `Sink` and an `EventSink`.

    Attributes:
        target: without the token.
        url: the address of the page.
        note: what people should know.
    """

    def __init__(self, target: str, address: Address, options: SinkOptions) -> None:
        self.target, self._closed = target, False
        self._run: Optional[RunView] = None
        self._sources: Set[str] = set()  # of the run, when it was last looked at
        self._gone: Set[str] = set()  # those that were removed just before that
        self._server = server = Server(address, "page")
        self.url = server.url
        self.note = f"page: {self.url}" + (" (asks for the token)" if address.token else "")
        self._state, self._streams = State(), Streams(address.fps, address.width)
        self._live = live = Live(self._streams)
        self._streams.changed = lambda: server.soon(live.wake)
        self._streams.listed = lambda: server.soon(live.restart)
        self._state.tell = lambda name, data: server.soon(live.tell, name, data)
        server.start(Site(Guard(address, server.port), self._state, self._streams, live, options.save), live.end)

    def begin(self, rates: Mapping[str, float]) -> None:
        """See `sinks.begin`."""
        self._streams.begin(list(rates))

    def observe(self, run: RunView) -> None:
        """See `sinks.observe`."""
        self._run = run

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if not self._closed:
            self._streams.write(result)

    def take(self, event: Event) -> None:
        """See `EventSink.take`."""
        if not self._closed:
            self._state.take(event)
            if event.kind == "status" and self._run is not None:  # once a second
                self._forget(self._run)

    def _forget(self, run: RunView) -> None:
        """Forgets the sources that were removed, so that those that come later find a place.

        It is done twice, because a last frame or event may still have been on its way.
        """
        before, self._sources = self._sources, set(run.sources())
        gone = before - self._sources
        twice, self._gone = gone | self._gone - self._sources, gone
        if twice:
            self._state.forget(twice)
            self._streams.forget(twice)

    def summary(self) -> Dict[str, Any]:
        """See `EventSink.summary`."""
        pictures = self._streams.pictures
        return {"taken": self._state.taken, "pictures": pictures, "connections": self._server.connections}

    def close(self) -> None:
        """See `Sink.close`."""
        if not self._closed:
            self._closed = True
            self._streams.close()
            self._server.close()
