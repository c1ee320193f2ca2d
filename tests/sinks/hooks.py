"""A real HTTP server that takes events, and answers as badly as a test wants."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Union

from tests.sinks.brokers import free_port, until


class Post(NamedTuple):
    path: str
    headers: Dict[str, str]
    body: bytes

    @property
    def event(self) -> Dict[str, Any]:
        return dict(json.loads(self.body))


Answer = Union[int, Callable[[BaseHTTPRequestHandler], None]]


class Receiver:
    """Args: answers: to the first requests: a status, or what is done with the handler. Later ones get 204."""

    def __init__(self, *answers: Answer, port: int = 0) -> None:
        self.posts: List[Post] = []
        self.connections = 0
        waiting, receiver = list(answers), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers["content-length"]))
                receiver.posts.append(Post(self.path, headers, body))
                answer = waiting.pop(0) if waiting else 204
                with suppress(OSError):
                    _say(self, answer) if isinstance(answer, int) else answer(self)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def numbers(self) -> List[int]:
        return [int(post.event["number"]) for post in self.posts]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _say(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def saying(status: int, **headers: str) -> Answer:
    """An answer with headers; `_` in their names is `-`."""
    return lambda handler: _say(handler, status, **headers)


def writing(*pieces: bytes, every_s: float = 0.0, times: int = 1) -> Answer:
    """An answer of these bytes, `times` times the last of them, with pauses. Then the connection ends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        for piece in [*pieces[:-1], *pieces[-1:] * times]:
            handler.wfile.write(piece)
            handler.wfile.flush()
            threading.Event().wait(every_s)
        handler.close_connection = True

    return answer


CHILD = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(sys.argv[2], "ab") as file:
            file.write(body + b"\\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): ...
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Process:
    """A server in a process of its own, which can be killed. It writes each event into a file, and then answers."""

    def __init__(self, folder: Path) -> None:
        self.port, self._file = free_port(), folder / "taken"
        self._file.touch()
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", CHILD, str(self.port), str(self._file)])

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def events(self) -> List[Dict[str, Any]]:
        return [json.loads(line) for line in self._file.read_text(encoding="utf-8").splitlines()]

    def until_started(self, count: int) -> None:
        until(lambda: len(self.events()) > count)
