"""A client of RTSP (RFC 2326) over TCP: asks a camera for its video, and gives the RTP packets as they come.

FFmpeg gives a picture only when the next one has begun, and reads half a second ahead before the first one.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from threading import Timer
from time import monotonic
from typing import Dict, Iterator, Optional, Tuple
from urllib.parse import unquote, urlsplit

from edge_runtime import __version__
from edge_runtime.sources._credentials import Credentials
from edge_runtime.sources._sdp import Video, video_of
from edge_runtime.sources._server import REFUSED, Refused, Unfit, context_of, port_of
from edge_runtime.sources._wire import Wire

MOST_HEADERS, LONGEST_LINE, MOST_BODY = 100, 8192, 1 << 18
RTSP_VERSION = b"RTSP/1."
BEGIN_S, ANSWERS = 30.0, 5  # until video begins; so many answers that come just in time are waited for
UNFIT = (301, 302, 303, 305, 459, 461)  # it is elsewhere, or the server does not send over TCP


class RtspConnection:
    """A connection over which video comes.

    Args:
        address: rtsp://user:password@camera/path, or rtsps://.
        timeout_s: seconds in which each answer and packet must come, and each piece of it.
        ca_file: certificates that vouch for rtsps://; None for those of the system, "none" to check nothing.

    Attributes:
        video: what the camera says of its video.
        channel: number of the channel with the video; the next one has the reports of the camera (RTCP).

    Raises:
        Refused: see there. OSError: it cannot be reached, or its answer makes no sense.
        Unfit: see there.
    """

    def __init__(self, address: str, timeout_s: float, ca_file: Optional[str]) -> None:
        parts = urlsplit(address)
        self._host, self._timeout_s = parts.hostname or "", timeout_s
        port = port_of(parts)
        netloc = f"[{self._host}]" if ":" in self._host else self._host
        self._url = parts._replace(netloc=f"{netloc}:{port}", fragment="").geturl()
        self._credentials = Credentials(unquote(parts.username or ""), unquote(parts.password or ""))
        self._number, self._session, self._alive_s, self._next_s = 0, "", 30.0, 0.0
        self._socket = socket.create_connection((self._host, port), timeout_s)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if parts.scheme.lower() == "rtsps":
                self._socket = context_of(ca_file).wrap_socket(self._socket, server_hostname=self._host)
            self._wire = Wire(self._socket, timeout_s, LONGEST_LINE)
            self.video = self._begun()
        except BaseException:
            self.close()
            raise

    def packets(self) -> Iterator[Tuple[int, bytes]]:
        """Channel and content of each packet, until the server ends the connection."""
        while True:
            if monotonic() > self._next_s:
                self._send(self._keep, self._url, {})
                self._next_s = monotonic() + self._alive_s
            first = self._wire.begin()
            if not first:
                return
            if first == b"$":
                yield self._packet()
            else:
                status, headers, _ = self._message(first)  # the answer to a request that keeps the session
                if status == 401 and self._credentials.challenge(headers.get("www-authenticate", "")):
                    self._next_s = 0.0  # the camera's word of before is too old: once more, with the new one

    def interrupt(self) -> None:
        """Ends a waiting read at once; from any thread."""
        with suppress(OSError):  # it is not connected any more
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Says goodbye without waiting for an answer. It may be called more than once."""
        with suppress(OSError):
            if self._session:
                self._socket.settimeout(0.2)
                self._send("TEARDOWN", self._url, {})
        self._session = ""
        self._socket.close()
        if hasattr(self, "_wire"):
            self._wire.close()

    def _begun(self) -> Video:
        end = Timer(max(BEGIN_S, ANSWERS * self._timeout_s), self.interrupt)  # a timeout is only for each piece
        end.daemon = True
        end.start()
        try:
            return self._begin()
        finally:
            end.cancel()

    def _begin(self) -> Video:
        headers, _ = self._ask("OPTIONS", self._url, {})
        self._keep = "GET_PARAMETER" if "GET_PARAMETER" in headers.get("public", "") else "OPTIONS"
        headers, body = self._ask("DESCRIBE", self._url, {"Accept": "application/sdp"})
        base = headers.get("content-base") or headers.get("content-location") or self._url
        video = video_of(body.decode("utf-8", "replace"))
        if video is None:
            raise Unfit
        transport = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}
        headers, _ = self._ask("SETUP", _control(base, video.control), transport)
        channels = re.search(r"interleaved=(\d+)", headers.get("transport", ""))
        if channels is None:
            raise Unfit
        self.channel = int(channels[1])
        self._session, _, rest = headers.get("session", "").partition(";")
        timeout = re.search(r"timeout=(\d{1,9})", rest)
        self._alive_s = max(5.0, int(timeout[1]) / 2 if timeout else self._alive_s)
        self._url = base if base.startswith("rtsp") else self._url
        self._ask("PLAY", self._url, {"Range": "npt=0.000-"})
        self._next_s = monotonic() + self._alive_s
        return video

    def _ask(self, method: str, url: str, headers: Dict[str, str]) -> Tuple[Dict[str, str], bytes]:
        """The headers and the body of an answer."""
        self._send(method, url, headers)
        status, answer, body = self._answer()
        if status == 401 and self._credentials.challenge(answer.get("www-authenticate", "")):
            self._send(method, url, headers)
            status, answer, body = self._answer()
        if status in REFUSED:
            why = self._credentials.problem if status == 401 else "no entry"
            raise Refused(0, f"the camera answers {status}: {why}")
        if status in UNFIT:
            raise Unfit
        if status != 200:
            raise OSError(0, f"the camera answers {status} to {method}")
        return answer, body

    def _send(self, method: str, url: str, headers: Dict[str, str]) -> None:
        self._number += 1
        lines = {"CSeq": str(self._number), "User-Agent": f"edge-runtime {__version__}", **headers}
        if self._session:
            lines["Session"] = self._session
        signed = self._credentials.sign(method, url)
        if signed:
            lines["Authorization"] = signed
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._socket.sendall(f"{method} {url} RTSP/1.0\r\n{text}\r\n".encode())

    def _answer(self) -> Tuple[int, Dict[str, str], bytes]:
        until_s = monotonic() + self._timeout_s
        while monotonic() < until_s:
            first = self._wire.begin()
            if first == b"$":  # of the video, before the answer to PLAY
                self._packet()
                continue
            status, headers, body = self._message(first)
            if status and headers.get("cseq", "").strip() == str(self._number):
                return status, headers, body
        raise TimeoutError

    def _packet(self) -> Tuple[int, bytes]:
        """Channel and content of a packet, behind its first byte."""
        head = self._wire.exactly(3)
        return head[0], self._wire.exactly(int.from_bytes(head[1:], "big"))

    def _message(self, first: bytes) -> Tuple[int, Dict[str, str], bytes]:
        """An answer, or a request of the server, whose status is 0."""
        line = first + self._wire.line()
        status = line.split(b" ", 2)[1:2]
        headers: Dict[str, str] = {}
        for _ in range(MOST_HEADERS):
            name, colon, value = self._wire.line().decode("latin1").partition(":")
            if not colon:
                break
            key = name.strip().lower()  # a server may offer several ways to authenticate
            headers[key] = f"{headers[key]}\n{value.strip()}" if key in headers else value.strip()
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MOST_BODY:
            raise OSError(0, "the camera's answer is too long")
        body = self._wire.exactly(int(length))
        is_answer = line.startswith(RTSP_VERSION) and status and status[0].isdigit()
        return (int(status[0]) if is_answer else 0), headers, body


def _control(base: str, control: str) -> str:
    if control in ("", "*"):
        return base
    if "://" in control:
        return control
    if control.startswith("/"):
        return urlsplit(base)._replace(path="", query="").geturl() + control
    return f"{base.rstrip('/')}/{control}"
