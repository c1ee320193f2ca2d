"""A web server for one file, in the ways in which servers differ."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FileServer:
    """Serves the same bytes at every address.

    Args:
        ranges: gives parts of the file, on connections that it closes without saying so.
        length: states how long the file is.
        sent: how many of the bytes are sent.
    """

    def __init__(self, content: bytes, ranges: bool = True, length: bool = True, sent: float = 1.0) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                begin = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0]) if ranges else 0
                self.send_response(206 if ranges else 200)
                if ranges:
                    self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
                if length:
                    self.send_header("Content-Length", str(len(content) - begin))
                self.end_headers()
                self.close_connection = self.close_connection or not length or sent < 1
                self.wfile.write(content[begin : int(len(content) * sent)])

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A client may go away."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
