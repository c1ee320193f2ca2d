"""The sockets of what is served."""

from __future__ import annotations

import errno
import socket
from typing import List

from edge_runtime.errors import SinkError
from edge_runtime.sinks._address import bracketed

LOCAL = ("127.0.0.1", "::1")  # a browser tries one of them or the other for `localhost`
NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
WAITING = 128  # connections that the system keeps before they are taken


def listening(host: str, port: int, what: str) -> List[socket.socket]:
    """Sockets that listen on one port: one, or for `localhost` those of IPv4 and IPv6.

    Args:
        port: 0 takes any free one.
        what: is served, in a word.

    Raises:
        SinkError: the address is taken, or is not of this machine.
    """
    found: List[socket.socket] = []
    try:
        for each in LOCAL if host.lower() == "localhost" else (host,):
            try:
                found.append(_bound(each, found[0].getsockname()[1] if found else port))
            except OSError as error:
                if not found or error.errno not in NO_IPV6:
                    raise
        for listener in found:
            listener.listen(WAITING)
    except OSError as error:
        for listener in found:
            listener.close()
        fact = f"the {what} cannot be served on {bracketed(host)}:{port}: {error.strerror or error}"
        raise SinkError(fact, hint="does another run serve it? give another port") from error
    return found


def taken(host: str, port: int, what: str) -> str:
    """Why an address cannot be served now; "" if it can. The port is free again afterwards."""
    try:
        for listener in listening(host, port, what):
            listener.close()
    except SinkError as error:
        return str(error)
    return ""


def _bound(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, place = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener
