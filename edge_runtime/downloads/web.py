"""Asks a server for a file, or for the rest of one. Every way in which that can fail becomes one sentence."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPException
from typing import IO, Any, Iterator
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from edge_runtime import __version__
from edge_runtime.errors import DownloadError
from edge_runtime.text.escape import printable

CHUNK, LONGEST = 1 << 16, 200  # bytes read at once; characters of what a server says
LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")
# Without this word GitHub's API packs a file into JSON. Other servers ignore it.
HEADERS = {"User-Agent": f"edge-runtime/{__version__}", "Accept": "application/vnd.github.raw"}
LOGIN = "is there a network here that wants a login first? a browser shows it"
MEANINGS = {
    403: "it refuses: a limit on requests, or a filter of this network",
    404: "the file is not there any more",
    407: "the proxy wants a login",
    410: "the file is not there any more",
    429: "too many requests: wait an hour",
}


@dataclass
class Answer:
    """The server's answer.

    Attributes:
        start: number of the first byte that comes. It is 0 if the server sends the whole file again.
        body: the bytes.
    """

    start: int
    body: IO[bytes]

    def chunks(self) -> Iterator[bytes]:
        """The bytes, piece by piece.

        Raises:
            DownloadError: the connection broke.
        """
        while True:
            try:
                piece = self.body.read(CHUNK)
            except (OSError, HTTPException) as error:
                raise DownloadError(f"the connection broke: {_network_reason(error)}") from error
            if not piece:
                return
            yield piece


@contextlib.contextmanager
def ask(address: str, start: int, size_bytes: int, timeout_s: float) -> Iterator[Answer]:
    """Asks for a file from byte `start` on.

    Args:
        address: https; http only on this machine itself.
        size_bytes: of the whole file. An answer with another length is refused.
        timeout_s: longest silence of the server.

    Raises:
        DownloadError: there is no such answer. The message has no address in it.
    """
    check_address(address)
    response = _open(address, start, timeout_s)
    with contextlib.closing(response):
        if response.code == 416:
            response.close()
            with ask(address, 0, size_bytes, timeout_s) as answer:
                yield answer
            return
        yield Answer(_begin(response, start, size_bytes), response)


def check_address(address: str) -> None:
    """Refuses an address that is not safe to fetch from.

    Raises:
        DownloadError: it is neither https nor on this machine.
    """
    if not (_has_scheme(address, "https") or _is_loopback(address)):
        raise DownloadError(f"{address} is no https address", hint="http is taken from 127.0.0.1 only")


def _open(address: str, start: int, timeout_s: float) -> Any:
    """The response of any server, 416 included. Proxies are those of the environment."""
    headers = {**HEADERS, **({"Range": f"bytes={start}-"} if start else {})}
    proxies = [ProxyHandler({})] if _is_loopback(address) else []
    try:
        return build_opener(_Redirects(), *proxies).open(Request(address, headers=headers), timeout=timeout_s)
    except HTTPError as error:
        if error.code == 416 and start:
            return error
        error.close()
        meaning = MEANINGS.get(error.code) or (
            "it fails: try again later" if error.code >= 500 else _line(error.reason)
        )
        raise DownloadError(f"the server answers {error.code}: {meaning}") from error
    except DownloadError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        raise DownloadError(f"no answer: {_network_reason(error)}") from error


def _begin(response: Any, asked: int, size_bytes: int) -> int:
    """The first byte that the response holds."""
    kind, length = response.headers.get_content_type(), response.headers.get("Content-Length", "")
    if response.code not in (200, 206):
        raise DownloadError(f"the server answers {response.code}, without the file")
    if kind in ("text/html", "application/xhtml+xml"):
        raise DownloadError(f"the answer is a web page and not the file: {LOGIN}")
    start = 0
    if response.code == 206:
        found = re.match(r"bytes (\d{1,18})-", response.headers.get("Content-Range", ""))
        start = int(found[1]) if found else -1
        if start != asked:
            raise DownloadError(f"the server sends another part than the one from byte {asked} on")
    if length.isdecimal() and int(length) != size_bytes - start:
        raise DownloadError(f"the answer has {int(length)} bytes, expected {size_bytes - start}")
    return start


class _Redirects(HTTPRedirectHandler):
    """Follows to https addresses. From this machine also to this machine."""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not (_has_scheme(newurl, "https") or (_is_loopback(newurl) and _is_loopback(req.full_url))):
            fp.close()
            raise DownloadError(f"the server sends us on to {urlsplit(newurl).scheme}://{urlsplit(newurl).netloc}, "
                                "which is not safe")  # fmt: skip
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _has_scheme(address: str, scheme: str) -> bool:
    with contextlib.suppress(ValueError):
        parts = urlsplit(address)
        return parts.scheme == scheme and bool(parts.hostname)
    return False


def _is_loopback(address: str) -> bool:
    return _has_scheme(address, "http") and bool(LOOPBACK.fullmatch(urlsplit(address).hostname or ""))


def _network_reason(error: Exception) -> str:
    """What went wrong, in words that a user can act on."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({cause.verify_message}): is the clock of this machine right?"
    if isinstance(cause, socket.gaierror):
        return "its name is not found: is there a network here?"
    if isinstance(cause, socket.timeout):
        return "silence for too long"
    return _line(getattr(cause, "strerror", "") or cause) or type(cause).__name__


def _line(said: object) -> str:
    """Words of a server or a library, on one line that is not too long."""
    return printable(" ".join(str(said).split()))[:LONGEST]
