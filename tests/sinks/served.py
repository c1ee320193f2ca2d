"""What is served by RTSP: streams that give frames, and viewers."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import replace
from typing import Any, Callable, Iterator, List, Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime import sinks
from edge_runtime.sinks.rtsp import RtspSink
from edge_runtime.types import Result
from tests.sinks.brokers import free_port
from tests.sinks.results import result

PERIOD_S, PATIENCE_S = 0.04, 15.0
GROUND = (200, 90, 30)  # BGR


def coloured(index: int = 0, size_wh: Tuple[int, int] = (320, 240), source: str = "cam") -> Result:
    """Two boxes on blue."""
    width, height = size_wh
    given = result(index, height, width, source)
    given.frame.image[:] = GROUND
    return replace(given, detections=replace(given.detections, xyxy=given.detections.xyxy * np.float32(width / 80)))


class Streams:
    """Gives frames of sources to a sink, from `start` to `stop`."""

    def __init__(self, sink: RtspSink, sources: Tuple[str, ...]) -> None:
        self.sink, self.sources, self.size_wh = sink, sources, (320, 240)
        self.slowest_s, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _write(self) -> None:
        index = 0
        while not self._over.wait(PERIOD_S):
            for source in self.sources:
                started_s = time.monotonic()
                self.sink.write(coloured(index, self.size_wh, source))
                self.slowest_s = max(self.slowest_s, time.monotonic() - started_s)
            index += 1


@contextlib.contextmanager
def serving(target: str = "", rates: Optional[Mapping[str, float]] = None, user: str = "") -> Iterator[Streams]:
    """A sink whose streams give frames. The target stands behind the port."""
    sink = sinks.open(f"rtsp://{user}127.0.0.1:{free_port()}{target}")
    assert isinstance(sink, RtspSink)
    rates = rates or {"cam": 25.0}
    sinks.begin(sink, rates)
    streams = Streams(sink, tuple(rates))
    try:
        until(lambda: all(stream.served for stream in sink.streams.values()), "its first frames")
        yield streams
    finally:
        streams.stop()
        sink.close()


def until(true: Callable[[], Any], what: str) -> None:
    """Waits until something is so."""
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s, f"waited in vain for {what}"
        time.sleep(0.01)


@contextlib.contextmanager
def watching(url: str) -> Iterator[Iterator[NDArray[np.uint8]]]:
    """The pictures that FFmpeg decodes, (H, W, 3) uint8 BGR."""
    import av

    # without a look ahead at the stream
    with av.open(url, options={"analyzeduration": "0", "probesize": "32"}, timeout=10) as container:
        yield (frame.to_ndarray(format="bgr24") for frame in container.decode(video=0))


def pictures(url: str, count: int) -> List[NDArray[np.uint8]]:
    with watching(url) as found:
        return [next(found) for _ in range(count)]


def watch_to_its_end(url: str) -> None:
    """Watches until the server ends the connection, which is the end of a stream or an error, as FFmpeg sees it."""
    import av

    with contextlib.suppress(av.error.FFmpegError), watching(url) as found:
        for _ in found:
            pass


class StuckViewer:
    """A viewer who asks for the pictures over its connection, and then reads nothing."""

    def __init__(self, url: str) -> None:
        host, _, rest = url[len("rtsp://") :].partition(":")
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(10)
        self._socket.connect((host, int(rest.partition("/")[0])))
        self._number = 0
        self._ask("DESCRIBE", url, "Accept: application/sdp")
        setup = self._ask("SETUP", f"{url}/stream=0", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        session = next(line for line in setup.splitlines() if line.lower().startswith("session:"))
        self._ask("PLAY", url, session.partition(";")[0])

    def _ask(self, method: str, url: str, header: str) -> str:
        self._number += 1
        self._socket.sendall(f"{method} {url} RTSP/1.0\r\nCSeq: {self._number}\r\n{header}\r\n\r\n".encode())
        answer = self._socket.recv(4096).decode("latin-1")
        assert answer.startswith("RTSP/1.0 200"), answer
        return answer

    def close(self) -> None:
        self._socket.close()
