"""The sink of the page: it takes results and events, and serves what they show."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from edge_runtime.sinks import SinkOptions
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
        self._server = server = Server(address, "page")
        self.url = server.url
        self.note = f"page: {self.url}" + (" (asks for the token)" if address.token else "")
        self._state, self._streams = State(), Streams(address.fps, address.width)
        self._live = live = Live(self._streams)
        self._streams.changed = lambda: server.soon(live.wake)
        self._streams.added = lambda: server.soon(live.restart)
        self._state.tell = lambda name, data: server.soon(live.tell, name, data)
        server.start(Site(Guard(address, server.port), self._state, self._streams, live, options.save), live.end)

    def begin(self, rates: Mapping[str, float]) -> None:
        """See `sinks.begin`."""
        self._streams.begin(list(rates))

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if not self._closed:
            self._streams.write(result)

    def take(self, event: Event) -> None:
        """See `EventSink.take`."""
        if not self._closed:
            self._state.take(event)

    def summary(self) -> Dict[str, Any]:
        """See `EventSink.summary`."""
        pictures = sum(stream.version for stream in self._streams.all())
        return {"taken": self._state.taken, "pictures": pictures, "connections": self._server.connections}

    def close(self) -> None:
        """See `Sink.close`."""
        if not self._closed:
            self._closed = True
            self._streams.close()
            self._server.close()
