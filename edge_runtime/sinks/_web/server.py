"""A server of HTTP in a thread of its own, with bounds for those who ask."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import Counter
from typing import Any, Callable, Protocol, Set

from edge_runtime.sinks._address import bracketed
from edge_runtime.sinks._web.address import Address
from edge_runtime.sinks._web.connection import Connection, Refused, Request
from edge_runtime.sinks._web.listening import listening

MOST, MOST_OF_ONE = 128, 64  # connections, in all and of one address
SEND_BUFFER = 1 << 18  # bytes that the system keeps for a viewer: a slow one gets newer pictures, and not old ones late
END_S = 3.0
log = logging.getLogger("edge_runtime")


class Answering(Protocol):
    """What answers requests, in the server's thread."""

    async def answer(self, connection: Connection, request: Request) -> None:
        """Answers one request. Raises ConnectionError: the other side has gone."""

    async def refuse(self, connection: Connection, refused: Refused) -> None:
        """Answers with an error."""


class Server:
    """Listens from the beginning, and answers from `start` to `close`.

    Args:
        address: where.
        what: is served, in a word.

    Attributes:
        port: the one that was bound.
        url: its address.

    Raises:
        SinkError: the address cannot be bound.
    """

    def __init__(self, address: Address, what: str) -> None:
        self._what, self._sockets = what, listening(address.host, address.port, what)
        self.port = self._sockets[0].getsockname()[1]
        self.url = f"http://{bracketed(address.host)}:{self.port}/"
        self._tasks: Set[Any] = set()
        self._peers: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._ended = self._loop.create_future()
        self._closed = False

    def start(self, site: Answering, ending: Callable[[], None] = lambda: None) -> None:
        """Begins to answer. Args: ending: called in the server's thread, to end answers that have no end."""
        self._site, self._ending = site, ending
        self._thread = threading.Thread(target=self._serve, name=self._what, daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._tasks)

    def soon(self, call: Callable[..., None], *arguments: Any) -> None:
        """Calls something in the server's thread, if it has not ended meanwhile."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    def close(self) -> None:
        """Ends all connections. It may be called more than once."""
        if not self._closed:
            self._closed = True
            self.soon(self._ended.set_result, None)
            self._thread.join(END_S)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._run())
        finally:
            self._loop.close()

    async def _run(self) -> None:
        servers = [await asyncio.start_server(self._accept, sock=each, limit=1 << 16) for each in self._sockets]
        await self._ended
        for server in servers:
            server.close()
        self._ending()
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
            log.warning("a request of the %s failed: %s: %s", self._what, type(error).__name__, error)
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
                    raise Refused(503, "too many connections", "close some", [("Retry-After", "10")])
            except Refused as refused:
                await self._site.refuse(connection, refused)
                return await connection.end()
            if request is None:
                return
            await self._site.answer(connection, request)
            going = connection.goes_on()
