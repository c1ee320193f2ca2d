"""The sink: it takes results and events, and serves the page from a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections import Counter
from typing import Any, Callable, Dict, Mapping, Set

from edge_runtime.errors import SinkError
from edge_runtime.sinks import SinkOptions
from edge_runtime.sinks._web.address import Address
from edge_runtime.sinks._web.connection import Connection, Refused
from edge_runtime.sinks._web.guard import Guard
from edge_runtime.sinks._web.live import Live
from edge_runtime.sinks._web.site import Site
from edge_runtime.sinks._web.state import State
from edge_runtime.sinks._web.streams import Streams
from edge_runtime.types import Result
from edge_runtime.types.events import Event

MOST, MOST_OF_ONE = 128, 64  # connections, in all and of one address
SEND_BUFFER = 1 << 18  # bytes that the system keeps for a viewer: a slow one gets newer pictures, and not old ones late
END_S = 3.0
log = logging.getLogger("edge_runtime")


class PageSink:
    """A `Sink` and an `EventSink`.

    Attributes:
        target: without the token.
        url: the address of the page.
        note: what people should know.
    """

    def __init__(self, target: str, address: Address, options: SinkOptions) -> None:
        self.target = target
        self._socket = _listening(address)
        port = self._socket.getsockname()[1]
        host = f"[{address.host}]" if ":" in address.host else address.host
        self.url = f"http://{host}:{port}/"
        self.note = f"page: {self.url}" + (" (asks for the token)" if address.token else "")
        self._state, self._streams = State(), Streams(address.fps, address.width)
        self._live = Live(self._streams)
        self._site = Site(Guard(address, port), self._state, self._streams, self._live, options.save)
        self._loop, self._closed = asyncio.new_event_loop(), threading.Event()
        self._tasks: Set[Any] = set()
        self._peers: Counter[str] = Counter()
        self._ended = self._loop.create_future()
        self._connect()
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)
        self._thread.start()

    def begin(self, rates: Mapping[str, float]) -> None:
        """See `sinks.begin`."""
        self._streams.begin(list(rates))

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if not self._closed.is_set():
            self._streams.write(result)

    def take(self, event: Event) -> None:
        """See `EventSink.take`."""
        if not self._closed.is_set():
            self._state.take(event)

    def summary(self) -> Dict[str, Any]:
        """See `EventSink.summary`."""
        pictures = sum(stream.version for stream in self._streams.all())
        return {"taken": self._state.taken, "pictures": pictures, "connections": len(self._tasks)}

    def close(self) -> None:
        """See `Sink.close`."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._streams.close()
        self._loop.call_soon_threadsafe(self._ended.set_result, None)
        self._thread.join(END_S)

    def _connect(self) -> None:
        """News go from the run's threads to the server's."""

        def soon(call: Callable[..., None], *arguments: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                self._loop.call_soon_threadsafe(call, *arguments)

        self._streams.changed = lambda: soon(self._live.wake)
        self._streams.added = lambda: soon(self._live.restart)
        self._state.tell = lambda name, data: soon(self._live.tell, name, data)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._run())
        finally:
            self._loop.close()

    async def _run(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._socket, limit=1 << 16)
        await self._ended
        server.close()
        self._live.end()
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        task, peer = asyncio.current_task(), connection.peer
        self._tasks.add(task)
        self._peers[peer] += 1
        try:
            if len(self._tasks) <= 2 * MOST:  # of more, not even an answer: the run needs its descriptors
                await self._speak(connection, len(self._tasks) > MOST or self._peers[peer] > MOST_OF_ONE)
        except (OSError, asyncio.CancelledError):
            pass
        except Exception as error:
            log.warning("a request of the page failed: %s: %s", type(error).__name__, error)
        finally:
            self._tasks.discard(task)
            self._peers[peer] -= 1
            if not self._peers[peer]:
                del self._peers[peer]
            connection.abort()

    async def _speak(self, connection: Connection, full: bool) -> None:
        connection.keep_little(SEND_BUFFER)
        going = True
        while going:
            try:
                request = None if full else await connection.request()
                if full:
                    raise Refused(503, "too many connections", "close a page", [("Retry-After", "10")])
            except Refused as refused:
                await self._site.refuse(connection, refused)
                return await connection.end()
            if request is None:
                return
            await self._site.answer(connection, request)
            going = connection.goes_on()


def _listening(address: Address) -> socket.socket:
    """A socket that listens.

    Raises:
        SinkError: the address is taken, or is not of this machine.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(place)
            listener.listen(MOST)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        fact = f"the page cannot be served on {address.host}:{address.port}: {error.strerror or error}"
        raise SinkError(fact, hint="does another run serve it? give another port") from error
    listener.setblocking(False)
    return listener
