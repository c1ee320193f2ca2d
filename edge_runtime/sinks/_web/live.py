"""Answers that do not end: pictures and events, for each viewer as fast as that viewer takes them."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from contextlib import contextmanager
from typing import Any, Callable, Deque, Dict, Iterator, Sequence, Set

from edge_runtime.sinks._web import assets
from edge_runtime.sinks._web.connection import Connection
from edge_runtime.sinks._web.state import dumps
from edge_runtime.sinks._web.streams import Stream, Streams

BOUNDARY = "edge-picture"
QUIET_S = 5.0  # without news: a sign of life, and a look whether the viewer is still there
MOST_WAITING = 500  # events of a viewer that takes none; the page then begins again
HEAD = struct.Struct(">HI")  # number of the stream, length of the JPEG file


class Live:
    """Viewers. Everything here runs in the server's thread."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._awake: Set[asyncio.Event] = set()
        self._waiting: Dict[asyncio.Event, Deque[bytes]] = {}  # of each viewer of events
        self._over, self._round = False, 0

    def wake(self) -> None:
        """There is a new picture."""
        for event in self._awake:
            event.set()

    def tell(self, name: str, data: Any) -> None:
        """Sends an event to all viewers."""
        if not self._waiting:
            return
        message = _message(name, data)
        for waiting in self._waiting.values():
            waiting.append(message)
        self.wake()

    def restart(self) -> None:
        """A stream has come or gone: viewers get everything again."""
        self._round += 1
        self.wake()

    def end(self) -> None:
        """Ends all answers."""
        self._over = True
        self.wake()

    async def mjpeg(self, connection: Connection, stream: Stream) -> None:
        """One stream, as every browser and player shows it."""
        await self._begin(connection, f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: "
        await self._send_pictures(
            connection,
            [stream],
            lambda _, jpeg: f"{head}{len(jpeg)}\r\n\r\n".encode() + jpeg + b"\r\n",
            lambda: stream in self._streams.all(),
        )

    async def pictures(self, connection: Connection) -> None:
        """All streams over one connection, because a browser opens only six. Before each picture comes `HEAD`.

        It ends when a stream has come or gone.
        """
        await self._begin(connection, "application/octet-stream")
        began = self._round
        await self._send_pictures(
            connection,
            self._streams.all(),
            lambda stream, jpeg: HEAD.pack(stream.number, len(jpeg)) + jpeg,
            lambda: self._round == began,
        )

    async def events(self, connection: Connection, snapshot: Callable[[], Dict[str, Any]]) -> None:
        """Server-sent events: first everything, then what is new."""
        await self._begin(connection, "text/event-stream")
        waiting: Deque[bytes] = deque([b"retry: 2000\n\n"], MOST_WAITING + 1)
        seen = -1
        with self._notified() as event:
            self._waiting[event] = waiting
            try:
                while not self._over:
                    if seen != self._round:
                        seen = self._round
                        waiting.append(_message("state", snapshot()))
                    while 0 < len(waiting) <= MOST_WAITING:
                        await connection.send(waiting.popleft())
                    if waiting:
                        break
                    if not await _news(event):
                        await connection.send(b":\n\n")
            finally:
                del self._waiting[event]
        await connection.finish()

    async def _begin(self, connection: Connection, kind: str) -> None:
        policy = {"Content-Security-Policy": assets.NOTHING}
        headers = {**assets.COMMON, **policy, "Content-Type": kind, "Connection": "close", "X-Accel-Buffering": "no"}
        await connection.begin(200, headers.items())

    async def _send_pictures(
        self,
        connection: Connection,
        streams: Sequence[Stream],
        packed: Callable[[Stream, bytes], bytes],
        goes_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Sends the newest picture of each stream. A viewer that is slow does not get those between."""
        sent: Dict[int, int] = {stream.number: stream.version for stream in streams}
        with self._streams.watched(streams), self._notified() as event:
            while not self._over and goes_on() and not connection.has_gone():
                for stream in streams:
                    if stream.version != sent[stream.number]:
                        sent[stream.number] = stream.version
                        await connection.send(packed(stream, stream.jpeg))
                await _news(event)
        await connection.finish()

    @contextmanager
    def _notified(self) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._awake.add(event)
        try:
            yield event
        finally:
            self._awake.discard(event)


async def _news(event: asyncio.Event) -> bool:
    """Waits for news, for a limited time."""
    try:
        await asyncio.wait_for(event.wait(), QUIET_S)
    except asyncio.TimeoutError:
        return False
    event.clear()
    return True


def _message(name: str, data: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), dumps(data))
