"""A stream over HTTP, as a file for FFmpeg, which by itself takes a picture of any size into memory."""

from __future__ import annotations

import http.client
import socket
from contextlib import suppress
from threading import Timer
from time import monotonic
from typing import Any, Optional
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

from edge_runtime import __version__
from edge_runtime.sources._avopen import open_address, open_stream
from edge_runtime.sources._credentials import Credentials
from edge_runtime.sources._server import REFUSED, UNCHECKED, Refused, Unfit, context_of, port_of

MOST_BYTES = 32 << 20  # between two pictures; what FFmpeg looks at before the first one is in it
WAIT_S, WAITS = 30.0, 4  # to wait for a picture in all; FFmpeg looks at a few pictures before it gives the first one
MOST_REDIRECTS = 5
SAFE = "%/:=&?~#+!$,;'@()*[]"  # characters of an address that is written as it should be
REDIRECTS = (301, 302, 303, 307, 308)
PLAYLISTS, TEXT = ("mpegurl", "dash+xml"), (b"#EXTM3U", b"<")


class WebStream:
    """The answer of a server to GET. FFmpeg reads playlists by itself.

    Args:
        address: http://user:password@camera/path, or https://.
        timeout_s: seconds to wait for each answer and each part of it.
        ca_file: see `SourceOptions`.
    """

    def __init__(self, address: str, timeout_s: float, ca_file: Optional[str]) -> None:
        self._address, self._timeout_s, self._ca_file = address, timeout_s, ca_file
        self._answer: Optional[http.client.HTTPResponse] = None
        self._socket: Optional[socket.socket] = None
        self._begin, self._count, self._waited_s, self._failed = b"", 0, 0.0, False
        self._most_s = max(WAIT_S, WAITS * timeout_s)

    def open(self) -> Any:
        """An av container of it.

        Raises:
            Refused: the camera wants another user or password, or does not let us in.
            av.error.FFmpegError, OSError, ValueError: it cannot be opened.
        """
        self.close()
        try:
            kind = self._ask()
        except Unfit:
            self.close()
            return open_address(self._address, self._timeout_s, live=True, ca_file=self._ca_file)
        except http.client.HTTPException as error:
            raise OSError(0, "the camera's answer makes no sense") from error
        return open_stream(self, "mpjpeg" if kind.startswith("multipart/") else None)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end, and after an error: FFmpeg asks again, and PyAV would print that one.

        Raises:
            OSError: the connection is lost, or too much came without a picture, or it took too long.
        """
        if self._failed:
            return b""
        self._failed = True
        content = self._next(size)
        self._failed = False
        return content

    def taken(self) -> None:
        """A picture came out of it."""
        self._count, self._waited_s = 0, 0.0

    def interrupt(self) -> None:
        """Ends a waiting read at once; from any thread."""
        connected = self._socket
        if connected is not None:
            with suppress(OSError):  # it is not connected any more
                connected.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends the connection. It may be called more than once."""
        self.interrupt()
        for opened in (self._answer, self._socket):
            if opened is not None:
                with suppress(OSError):
                    opened.close()
        self._answer, self._socket, self._begin, self._failed = None, None, b"", False
        self.taken()

    def _next(self, size: int) -> bytes:
        if self._count > MOST_BYTES:
            raise OSError(0, f"no picture in {MOST_BYTES >> 20} MiB")
        if self._waited_s > self._most_s:
            raise OSError(0, f"no picture in {self._most_s:g} s")
        content, self._begin = self._begin, b""
        try:
            content = content or self._read(size)
        except http.client.HTTPException as error:
            raise OSError(0, "the camera ended the connection") from error
        self._count += len(content)
        return content

    def _read(self, size: int) -> bytes:
        began_s = monotonic()
        content = self._answer.read1(size) if self._answer else b""
        self._waited_s += monotonic() - began_s
        return content

    def _ask(self) -> str:
        """The content type."""
        parts = urlsplit(self._address)
        host, credentials = parts.hostname, Credentials(unquote(parts.username or ""), unquote(parts.password or ""))
        for _ in range(MOST_REDIRECTS):
            answer = self._get(parts, credentials)
            if answer.status in REDIRECTS:
                parts = _elsewhere(parts, answer.headers.get("Location", ""))
                credentials = credentials if parts.hostname == host else Credentials("", "")
                continue
            said = "\n".join(answer.headers.get_all("WWW-Authenticate", ()))
            if answer.status != 401 or not credentials.challenge(said):
                return self._judged(answer, credentials)
        raise OSError(0, "the camera sends us from one address to the next")

    def _get(self, parts: SplitResult, credentials: Credentials) -> http.client.HTTPResponse:
        self.close()
        host, port, limit_s = parts.hostname or "", port_of(parts), self._timeout_s
        connection = http.client.HTTPConnection(host, port, timeout=limit_s)
        if parts.scheme.lower() == "https":
            context = context_of(self._ca_file or UNCHECKED)
            connection = http.client.HTTPSConnection(host, port, timeout=limit_s, context=context)
        path = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe=SAFE)
        signed = credentials.sign("GET", path)
        headers = {"User-Agent": f"edge-runtime {__version__}", "Accept": "*/*"}
        connection.request("GET", path, headers={**headers, **({"Authorization": signed} if signed else {})})
        self._socket = connection.sock
        end = Timer(self._most_s, self.interrupt)  # a timeout is only for each piece of an answer
        end.daemon = True
        end.start()
        try:
            self._answer = connection.getresponse()
        finally:
            end.cancel()
        return self._answer

    def _judged(self, answer: http.client.HTTPResponse, credentials: Credentials) -> str:
        if answer.status in REFUSED:
            why = credentials.problem if answer.status == 401 else "no entry"
            raise Refused(0, f"the camera answers {answer.status}: {why}")
        if answer.status != 200:
            raise OSError(0, f"the camera answers {answer.status}")
        kind = str(answer.headers.get("Content-Type", "")).strip().lower()
        self._begin = self._read(64)
        if any(word in kind for word in PLAYLISTS) or self._begin.lstrip().startswith(TEXT):
            raise Unfit
        return kind


def _elsewhere(parts: SplitResult, location: str) -> SplitResult:
    """Where a server sends us."""
    found = urlsplit(urljoin(parts.geturl(), location))
    if found.scheme.lower() not in ("http", "https"):
        raise OSError(0, "the camera is elsewhere, at an address that is not of the web")
    if parts.scheme.lower() == "https" and found.scheme.lower() == "http":
        raise OSError(0, "the camera is elsewhere, at an address without TLS")
    return found
