"""A camera on the loopback: MJPEG over HTTP, which can die and come back on the same port."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any, List, Sequence

import cv2

from tests.sources.clips import picture

JPEG = cv2.imencode(".jpg", picture(5, (320, 240)))[1].tobytes()
PART = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n"


class _Handler(BaseHTTPRequestHandler):
    server: MjpegServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        self.server.connections.append(self.connection)
        with suppress(OSError):
            for jpeg in cycle(self.server.jpegs):
                if not self.server.sending:
                    break
                self.wfile.write(PART % (len(jpeg), jpeg))
                time.sleep(self.server.pause_s)

    def log_message(self, *arguments: Any) -> None:
        pass


class MjpegServer(ThreadingHTTPServer):
    """Serves from construction to `stop()`."""

    daemon_threads = True

    def __init__(self, port: int = 0, jpegs: Sequence[bytes] = (JPEG,), pause_s: float = 0.005) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.sending, self.jpegs, self.pause_s = True, jpegs, pause_s
        self.connections: List[socket.socket] = []
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/live"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Cuts every connection and refuses new ones, as a camera without power does."""
        self.sending = False
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
