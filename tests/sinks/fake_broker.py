"""A small broker on loopback that ends connections at packets of a test's choice, as Mosquitto does not."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Callable, Dict, List, Tuple

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ = 1, 3, 8, 12
Refuses = Callable[[int, str], bool]


def _never(kind: int, topic: str) -> bool:
    return False


class FakeBroker:
    """Acknowledges everything else.

    Args:
        refuses: whether it ends the connection at a packet. Called with its kind and the topic of a PUBLISH.
        silent_s: seconds after such a packet in which it reads and says nothing, and the connection stays open.
        slow_s: seconds that it waits before it reads such a packet, all of it.
    """

    def __init__(self, refuses: Refuses = _never, silent_s: float = 0.0, slow_s: float = 0.0) -> None:
        self.refuses, self._silent_s, self._slow_s = refuses, silent_s, slow_s
        self.took: List[str] = []  # topics that it acknowledged
        self.by_connection: List[List[str]] = []
        self.cuts: Dict[str, int] = {}
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._work, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _work(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer = self._listening.accept()[0]
                self.by_connection.append([])
                threading.Thread(target=self._serve, args=(peer, self.by_connection[-1]), daemon=True).start()

    def _serve(self, peer: socket.socket, took: List[str]) -> None:
        with contextlib.suppress(OSError, EOFError), peer:
            peer.settimeout(10)
            while self._answered(peer, took):
                pass

    def _answered(self, peer: socket.socket, took: List[str]) -> bool:
        first, size = _read(peer, 1)[0], _size(peer)
        kind = first >> 4
        topic, read = _topic(peer) if kind == PUBLISH else ("", 0)
        if self.refuses(kind, topic):
            self._refuse(peer, topic, size - read)
            return False
        rest = _read(peer, size - read)
        if kind == PUBLISH:
            self.took.append(topic)
            took.append(topic)
        answer = _answer(kind, rest)
        if answer:
            peer.sendall(answer)
        return True

    def _refuse(self, peer: socket.socket, topic: str, size: int) -> None:
        """The answers to what came before are there already when it ends."""
        self.cuts[topic] = self.cuts.get(topic, 0) + 1
        time.sleep(self._slow_s or self._silent_s or 0.05)
        if self._slow_s:
            _read(peer, size)


def _answer(kind: int, rest: bytes) -> bytes:
    if kind == CONNECT:
        return b"\x20\x02\x00\x00"
    if kind == PUBLISH:
        return b"\x40\x02" + rest[:2]
    if kind == SUBSCRIBE:
        return b"\x90\x03" + rest[:2] + b"\x01"
    return b"\xd0\x00" if kind == PINGREQ else b""


def _read(peer: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = peer.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def _size(peer: socket.socket) -> int:
    size = shift = 0
    while True:
        byte = _read(peer, 1)[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return size


def _topic(peer: socket.socket) -> Tuple[str, int]:
    """The topic of a PUBLISH, and how many bytes of it were read."""
    size = struct.unpack(">H", _read(peer, 2))[0]
    return _read(peer, size).decode(), size + 2
