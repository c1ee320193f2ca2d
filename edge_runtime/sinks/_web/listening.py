"""The sockets of what is served."""

from __future__ import annotations

import errno
import socket
from typing import List

from edge_runtime.errors import SinkError
from edge_runtime.sinks._address import bracketed
from edge_runtime.sinks._web.address import Address, Served

LOCAL = ("127.0.0.1", "::1")  # a browser tries one of them or the other for `localhost`
NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
WAITING = 128  # connections that the system keeps before they are taken


def listening(address: Address, what: str) -> List[socket.socket]:
    """Sockets that listen on one port: one, or for `localhost` those of IPv4 and IPv6.

    Raises:
        SinkError: the address is taken, or is not of this machine.
    """
    found: List[socket.socket] = []
    local = address.host.lower() == "localhost"
    try:
        for host in LOCAL if local else (address.host,):
            try:
                found.append(_bound(host, found[0].getsockname()[1] if found else address.port))
            except OSError as error:
                if not found or error.errno not in NO_IPV6:
                    raise
        for each in found:
            each.listen(WAITING)
    except OSError as error:
        for each in found:
            each.close()
        fact = f"the {what} cannot be served on {bracketed(address.host)}:{address.port}: {error.strerror or error}"
        raise SinkError(fact, hint="does another run serve it? give another port") from error
    return found


def taken(address: Address, served: Served) -> str:
    """Why an address cannot be served now; "" if it can. The port is free again afterwards."""
    try:
        for each in listening(address, served.what):
            each.close()
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
