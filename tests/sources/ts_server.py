"""A camera on the loopback: H.264 in MPEG-TS over HTTP, at the pace of its pictures."""

from __future__ import annotations

import io
import threading
import time
from contextlib import suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, List

from tests.sources.clips import picture

FPS, KEY = 50, 25


def pieces(frames: int) -> List[bytes]:
    """The bytes of each picture: frame i has its level, and each `KEY`th is a key picture."""
    import av

    class Pieces(io.RawIOBase):
        def __init__(self) -> None:
            self.new = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.new += bytes(data)
            return len(data)

    out, found = Pieces(), []
    with av.open(out, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.options = {"tune": "zerolatency", "x264-params": f"keyint={KEY}:scenecut=0"}
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, (320, 240)), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
            found.append(out.new)
            out.new = b""
    return found


class TsServer(ThreadingHTTPServer):
    """Serves from construction to `stop()`."""

    daemon_threads = True

    def __init__(self, frames: int = 500) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pieces, self.sending = pieces(frames), True
        self.url = f"http://127.0.0.1:{self.server_address[1]}/live"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Ends all connections."""
        self.sending = False
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: TsServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        began_s = time.monotonic()
        with suppress(OSError):
            for number, piece in enumerate(self.server.pieces):
                time.sleep(max(0.0, began_s + number / FPS - time.monotonic()))
                if not self.server.sending:
                    return
                self.wfile.write(piece)

    def log_message(self, *arguments: Any) -> None:
        pass
