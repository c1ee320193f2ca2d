"""Serves annotated pictures by RTSP: `rtsp://127.0.0.1:8554`. GStreamer encodes them while somebody watches.

Addresses and options: docs/outputs.md.
"""

from __future__ import annotations

import logging
import re
from time import monotonic
from typing import Any, Dict, Mapping, Tuple

from edge_runtime.errors import SinkError, UsageError
from edge_runtime.files import fields
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.sinks import SinkOptions, _query
from edge_runtime.sinks._address import Address, bracketed, parse
from edge_runtime.sinks._gstencoders import AUTO, HARDWARE, NAMES, Choice, choose
from edge_runtime.sinks._names import name_beside
from edge_runtime.sinks._rtspserver import RtspServer, load_library
from edge_runtime.sinks._rtspstream import Stream
from edge_runtime.sinks._web.address import is_loopback
from edge_runtime.sinks._web.listening import taken
from edge_runtime.types import Result

HANDLES = ("rtsp://",)
PORTS = {"rtsp": 8554}
FIELDS = {
    "encoder": fields.one_of((AUTO, HARDWARE, *NAMES)),
    "fps": _query.number(0.1, 120),
    "width": _query.number(64, 8192),
    "bitrate": _query.number(1e4, 1e9, {"k": 1e3, "M": 1e6}),
}
LOGIN = "write USER@ before the host, and ?password=env:RTSP_PASSWORD behind it"
USUAL_FPS = 30.0
MOST_STREAMS = 256
END_S = 1.0

log = logging.getLogger("edge_runtime")


def open(target: str, options: SinkOptions) -> RtspSink:
    """Binds the address and serves each stream from its first frame on. Its `note` says where, and which encoder.

    Raises:
        BackendUnavailable: GStreamer, its server or OpenCV cannot be loaded.
        SinkError: the address cannot be bound, or no encoder works.
        UsageError: it is no address, or others can reach it and it has no password.
    """
    address, asked = _parsed(target)
    return RtspSink(address, asked, choose(asked["encoder"]))


def check(target: str, options: SinkOptions) -> str:
    """See `sinks.check`. An encoder is tried with a few pictures."""
    address, asked = _parsed(target)
    choose(asked["encoder"])
    return taken(address.host, address.port, "RTSP")


def _parsed(target: str) -> Tuple[Address, Dict[str, Any]]:
    """The address and the options."""
    address = parse(target, PORTS, tuple(FIELDS))
    if bool(address.user) != bool(address.password):
        raise UsageError(f"{address.public} needs user and password, or none of them", hint=LOGIN)
    if not address.user and not is_loopback(address.host):
        fact = f"pictures on {address.host} can be seen by others and need a user and a password"
        raise UsageError(fact, hint=f"{LOGIN}; or stay with rtsp://127.0.0.1:{address.port}")
    asked = {"encoder": AUTO, **_query.options(address.public, dict(address.options), FIELDS)}
    load_cv2()
    load_library()
    return address, asked


class RtspSink:
    """A `Sink`.

    Args:
        options: values of `FIELDS`.

    Attributes:
        target: without user, password and options.
        url: where it serves.
        streams: by the names of the sources.
    """

    def __init__(self, address: Address, options: Mapping[str, Any], choice: Choice) -> None:
        self.target, self._options, self._choice = address.public, options, choice
        self._path, self._asks = f"/{address.path}".rstrip("/"), bool(address.user)
        self._is_folder = address.path.endswith("/") or not address.path
        self.streams: Dict[str, Stream] = {}
        self._begun = False
        self._server = RtspServer(address, self._look)
        self.url = f"rtsp://{bracketed(address.host)}:{self._server.port}"

    @property
    def note(self) -> str:
        """See `sinks.note`."""
        where = ", ".join(self.url + stream.path for stream in self.streams.values())
        asks = " (asks for user and password)" if self._asks else ""
        return f"pictures: {where or self.url}{asks}, H.264 {self._choice.note}"

    def begin(self, rates: Mapping[str, float]) -> None:
        """See `sinks.begin`."""
        self._is_folder = self._is_folder or len(rates) > 1
        for source, rate in rates.items():
            self.admit(source, rate)
        self._begun = True

    def admit(self, source: str, rate: float) -> None:
        """See `sinks.admit`."""
        if source in self.streams:
            return
        if len(self.streams) >= MOST_STREAMS:
            self._forget()
        stream = Stream(source, self._path_of(source), rate, self._options, self._choice.encoder, self._server)
        self.streams[source] = stream
        if self._begun:
            log.info("pictures of %s: %s", source, self.url + stream.path)

    def write(self, result: Result) -> None:
        """See `Sink.write`. A frame that nobody watches is not looked at."""
        if result.frame.source not in self.streams:
            self.admit(result.frame.source, USUAL_FPS)
        self.streams[result.frame.source].write(result)

    def close(self) -> None:
        """See `Sink.close`."""
        self._server.close()
        until_s = monotonic() + END_S
        for stream in self.streams.values():
            stream.wait(max(0.0, until_s - monotonic()))

    def _path_of(self, source: str) -> str:
        """The path of the address is that of a single stream. Of several, each has its name behind it."""
        if not self.streams and not self._is_folder:
            return self._path
        taken = {stream.path[len(self._path) + 1 :].casefold() for stream in self.streams.values()}
        return f"{self._path}/{name_beside(re.sub(r'[^ -~]', '_', source), taken)}"

    def _forget(self) -> None:
        """Forgets the oldest stream that gives no more frames.

        Raises:
            SinkError: all of them do.
        """
        gone = next((source for source, stream in self.streams.items() if not stream.served), None)
        if gone is None:
            raise SinkError(f"{self.target} serves {MOST_STREAMS} streams at most", hint="give other outputs to some")
        del self.streams[gone]

    def _look(self) -> None:
        for stream in list(self.streams.values()):
            stream.look()
