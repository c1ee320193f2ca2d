"""A server of RTSP that gives one answer to everything, and then what it is told to."""

from __future__ import annotations

import socket
import threading
import time
from typing import List

REQUESTS = 4  # until video comes
OK = b"RTSP/1.0 200 OK\r\nCSeq: %d\r\n"
SDP = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
ALL = OK + b"Transport: RTP/AVP/TCP;interleaved=0-1\r\nContent-Length: %b\r\n\r\n" % str(len(SDP)).encode() + SDP
REPORT = b"$\1\0\x1c\x80\xc8\0\6" + bytes(24)


def answering(listening: socket.socket, answer: bytes, later: bytes = b"") -> None:
    """Serves until the socket is closed. Args: later: sent again and again once video was asked for."""
    while True:
        try:
            connection = listening.accept()[0]
        except OSError:
            return
        threading.Thread(target=_say, args=(connection, answer, later), daemon=True).start()


def _say(connection: socket.socket, answer: bytes, later: bytes) -> None:
    said: List[bytes] = []
    with connection:
        try:
            while connection.recv(4096):
                said.append(answer)
                connection.sendall(answer.replace(b"%d", str(len(said)).encode()))
                for _ in range(30 if later and len(said) == REQUESTS else 0):
                    time.sleep(0.05)
                    connection.sendall(later)
        except OSError:  # the client has had enough
            pass
