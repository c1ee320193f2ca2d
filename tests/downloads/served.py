"""A server on this machine that sends one file, well or badly, and an entry for that file."""

from __future__ import annotations

import hashlib
import random
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from edge_runtime.downloads import catalog
from edge_runtime.downloads.catalog import Entry

CONTENT = random.Random(1).getrandbits(8 * 300_000).to_bytes(300_000, "big")
WRONG = b"x" * len(CONTENT)


class Handler(BaseHTTPRequestHandler):
    """Answers with the function that is registered for the path."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))
        self.server.ways[self.path](self)

    def log_message(self, *_: object) -> None:
        """Stays silent."""

    @property
    def start(self) -> Optional[int]:
        """First byte that is asked for."""
        said = self.headers.get("Range")
        return int(said[len("bytes=") : -1]) if said else None

    def reply(self, code: int, body: bytes = b"", length: Optional[int] = -1, **headers: str) -> None:
        """Sends an answer. `length` is stated in place of the body's own; None states none."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length == -1 else length))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """The server, what it was asked, and how it answers."""

    daemon_threads = True

    def __init__(self, ways: Dict[str, Callable[[Handler], None]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ways = ways
        self.asked: List[Tuple[str, Optional[str]]] = []

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


@contextmanager
def serving(**ways: Callable[[Handler], None]) -> Iterator[Server]:
    server = Server({f"/{name}": way for name, way in ways.items()})
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sent(content: bytes = CONTENT) -> Callable[[Handler], None]:
    """Sends the file, or the part that is asked for, as servers should."""

    def way(handler: Handler) -> None:
        start = handler.start
        if start is None:
            handler.reply(200, content)
        elif start >= len(content):
            handler.reply(416, Content_Range=f"bytes */{len(content)}")
        else:
            handler.reply(206, content[start:], Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}")

    return way


def cut(count: int) -> Callable[[Handler], None]:
    """Breaks off after so many bytes."""

    def way(handler: Handler) -> None:
        start = handler.start or 0
        part = {"Content_Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"} if start else {}
        handler.reply(206 if start else 200, CONTENT[start : start + count], len(CONTENT) - start, **part)

    return way


def entry_for(content: bytes = CONTENT, *addresses: str) -> Entry:
    """An entry for this content."""
    entry = catalog.load_entry("yolox_nano")
    return replace(entry, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest(), addresses=addresses)
