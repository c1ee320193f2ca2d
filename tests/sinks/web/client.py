"""A page on a free port, and a client that is as rude as a test wants."""

from __future__ import annotations

import json
import socket
import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from edge_runtime import sinks
from edge_runtime.sinks import SinkOptions
from edge_runtime.types.events import Event
from tests.sinks.results import result

PATIENCE_S = 10.0
TOKEN = "correct-horse-battery"


@contextmanager
def page(query: str = "", save: Optional[Callable[..., None]] = None) -> Iterator[Any]:
    """An open page with the stream `cam`."""
    sink = sinks.open(f"http://127.0.0.1:0{query}", SinkOptions(save=save))
    try:
        sinks.begin(sink, {"cam": 25.0})
        sink.write(result())
        yield sink
    finally:
        sink.close()


def event(kind: str = "new", number: int = 1, key: str = "", source: str = "cam", **more: Any) -> Event:
    """An event of the stream `cam`."""
    return Event(kind, source, time.time(), number, "run", key, more.pop("data", {}), more.pop("picture", None))


def connect(sink: Any) -> socket.socket:
    """A connection to the page."""
    place = urlsplit(sink.url)
    return socket.create_connection((place.hostname, place.port), PATIENCE_S)


def until_end(connection: socket.socket) -> bytes:
    """Everything that comes until the page ends the connection."""
    data = b""
    try:
        for piece in iter(lambda: connection.recv(1 << 16), b""):
            data += piece
    except ConnectionResetError:
        pass
    return data


def raw(sink: Any, data: bytes) -> bytes:
    """Sends these bytes and returns everything that comes back."""
    with connect(sink) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # the page has ended it already
            pass
        return until_end(connection)


Answer = Tuple[int, Dict[str, str], bytes]


def ask(sink: Any, method: str, path: str, headers: Optional[Mapping[str, str]] = None, body: bytes = b"") -> Answer:
    """One request and its status, headers (in lower case) and body."""
    sent = {"Host": urlsplit(sink.url).netloc, "Connection": "close", **(headers or {})}
    if body:
        sent["Content-Length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items() if value), "", ""]
    return parse(raw(sink, "\r\n".join(lines).encode("latin-1") + body))


def parse(answer: bytes) -> Answer:
    """Status, headers and body of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in rest)
    return int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body


def ask_json(sink: Any, path: str) -> Any:
    """What the page says at an address."""
    status, _, body = ask(sink, "GET", path)
    assert status == 200, body
    return json.loads(body)


def until(done: Callable[[], Any], what: str) -> Any:
    """Waits until something is so."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        found = done()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"never: {what}")


@contextmanager
def watching(sink: Any, path: str) -> Iterator[socket.socket]:
    """A viewer of an answer that does not end. Its head has been read."""
    with connect(sink) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {urlsplit(sink.url).netloc}\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)
        assert head.startswith(b"HTTP/1.1 200 "), head
        yield connection
