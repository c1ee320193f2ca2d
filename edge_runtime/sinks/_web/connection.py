"""One connection of a browser: requests within limits of time and size, and answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import Dict, Iterable, Optional, Tuple, Union
from urllib.parse import parse_qs, unquote, urlsplit

import h11

HEADERS, BODY = 16 << 10, 256 << 10  # most bytes
REQUEST_S, SEND_S = 10.0, 15.0  # for a whole request, and until what was sent has left
LINGER_S = 0.5
PIECE = 1 << 14
Headers = Iterable[Tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """A request. Names of headers are in lower case, the path is decoded."""

    method: str
    path: str
    query: Dict[str, str]
    headers: Dict[str, str]
    body: bytes
    peer: str


class Refused(Exception):
    """A request that is answered with a status and a sentence."""

    def __init__(self, status: int, message: str, hint: str = "", headers: Headers = ()) -> None:
        super().__init__(message)
        self.status, self.hint, self.headers = status, hint, tuple(headers)


class Connection:
    """Speaks HTTP/1.1 over a pair of asyncio's streams.

    Attributes:
        peer: the address of the other side.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        writer.transport.set_write_buffer_limits(0)  # `drain` waits until the system has everything
        name = writer.get_extra_info("peername")
        self.peer = str(name[0]) if name else ""
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADERS)
        self._method = ""

    async def request(self) -> Optional[Request]:
        """The next request; None if the other side has gone, or is too slow.

        Raises:
            Refused: it is too large, or no HTTP.
        """
        try:
            return await asyncio.wait_for(self._request(), REQUEST_S)
        except asyncio.TimeoutError:
            return None
        except h11.RemoteProtocolError as error:
            raise Refused(error.error_status_hint, "this is no request that can be read") from error

    async def begin(self, status: int, headers: Headers) -> None:
        """Sends the head of an answer. Its parts follow by `send`."""
        await self._send(h11.Response(status_code=status, headers=list(headers)))

    async def send(self, data: bytes) -> None:
        """Sends a part of an answer, and waits until the system has taken it.

        Raises:
            ConnectionError: the other side has gone, or takes nothing.
        """
        if self.has_gone():
            raise ConnectionResetError
        await self._send(h11.Data(data=data))

    async def finish(self) -> None:
        """Sends the end of an answer of which no length was said."""
        if not self.has_gone():
            await self._send(h11.EndOfMessage())

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Sends a whole answer."""
        length = ("Content-Length", str(len(body)))
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        await self.begin(status, [*headers, length])
        if self._method != "HEAD":
            await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())

    def goes_on(self) -> bool:
        """Whether another request may follow."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    def has_gone(self) -> bool:
        """Whether the other side has ended the connection."""
        return self._reader.at_eof() or self._writer.is_closing()

    def keep_little(self, most: int) -> None:
        """Lets the system keep no more than so many bytes that the other side has not taken."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, most)

    def abort(self) -> None:
        """Ends the connection at once."""
        self._writer.transport.abort()

    async def end(self) -> None:
        """Ends the connection after what was sent. It reads on for a moment, because else the answer can be lost."""

        async def read_on() -> None:
            while await self._reader.read(PIECE):
                pass

        with contextlib.suppress(OSError, asyncio.TimeoutError):
            self._writer.write_eof()
            await asyncio.wait_for(read_on(), LINGER_S)

    async def _request(self) -> Optional[Request]:
        head = await self._next()
        if not isinstance(head, h11.Request):
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        self._method = head.method.decode("ascii")
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        body = await self._body()
        try:
            target = urlsplit(head.target.decode("ascii", "replace"))
            query = {name: values[0] for name, values in parse_qs(target.query).items()}
        except ValueError as error:
            raise Refused(400, "this address cannot be read") from error
        return Request(self._method, unquote(target.path), query, headers, body, self.peer)

    async def _body(self) -> bytes:
        body = bytearray()
        while True:
            event = await self._next()
            if not isinstance(event, h11.Data):
                return bytes(body)
            body += event.data
            if len(body) > BODY:
                raise Refused(413, f"the body has more than {BODY >> 10} KiB")

    async def _next(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            self._http.receive_data(await self._reader.read(PIECE))

    async def _send(self, event: Union[h11.Response, h11.InformationalResponse, h11.Data, h11.EndOfMessage]) -> None:
        self._writer.writelines(self._http.send_with_data_passthrough(event) or ())
        try:
            await asyncio.wait_for(self._writer.drain(), SEND_S)
        except asyncio.TimeoutError as error:
            raise ConnectionAbortedError from error
