"""Who may ask what: names of this machine, the same origin, tokens, sessions."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections import OrderedDict, deque
from time import monotonic
from typing import Callable, Deque, Dict, Mapping, Optional
from urllib.parse import urlsplit

from edge_runtime.sinks._web.address import Address

FAILURES, WINDOW_S = 5, 60.0  # wrong tokens of one address before it must wait
MOST_ADDRESSES, MOST_SESSIONS = 1000, 100
SESSION_S = 24 * 3600.0
READING = ("GET", "HEAD")


class Guard:
    """Decides by the headers of a request.

    Args:
        address: where the page is served.
        port: the port that was bound. It is in the name of the cookie, because browsers share cookies between ports.
        clock: seconds.
    """

    def __init__(self, address: Address, port: int, clock: Callable[[], float] = monotonic) -> None:
        self._token, self._clock = address.token.encode(), clock
        own = socket.gethostname().lower()
        self._names = {"localhost", own, f"{own}.local", address.host.lower(), *address.names}
        self._cookie = f"edge_page_{port}"
        self._sessions: OrderedDict[str, float] = OrderedDict()  # and when they end
        self._failures: OrderedDict[str, Deque[float]] = OrderedDict()

    @property
    def needs_token(self) -> bool:
        """Whether a viewer must log in."""
        return bool(self._token)

    def knows_host(self, headers: Mapping[str, str]) -> bool:
        """Whether the request names this machine.

        A page elsewhere can make its own name lead here ("DNS rebinding"), but no number.
        """
        try:
            host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        except ValueError:  # half an IPv6 address
            return False
        return host in self._names or _is_number(host)

    def is_from_elsewhere(self, method: str, headers: Mapping[str, str]) -> bool:
        """Whether the page of another server makes a browser ask. A link that leads here is none of this."""
        site = headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin"):
            return not (method in READING and headers.get("sec-fetch-mode") == "navigate")
        origin = headers.get("origin")
        return method not in READING and origin is not None and not _is_same(origin, headers.get("host", ""))

    def is_allowed(self, headers: Mapping[str, str], peer: str) -> bool:
        """Whether a request has a session, or the token as `Authorization: Bearer`."""
        if not self._token or self._has_session(headers):
            return True
        kind, _, token = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self.is_token(token.strip(), peer)

    def is_token(self, given: str, peer: str) -> bool:
        """Compares in constant time. A wrong one counts as a failure, and after too many none is right."""
        if self.wait_s(peer) > 0:
            return False
        if hmac.compare_digest(given.encode("utf-8", "replace"), self._token):
            return True
        self._failures.setdefault(peer, deque(maxlen=FAILURES)).append(self._clock())
        self._failures.move_to_end(peer)
        while len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)
        return False

    def wait_s(self, peer: str) -> float:
        """Seconds until an address may try a token again; 0 or less if it may now."""
        failures = self._failures.get(peer)
        return failures[0] + WINDOW_S - self._clock() if failures and len(failures) == FAILURES else 0.0

    def log_in(self) -> str:
        """Begins a session and returns the value of `Set-Cookie`."""
        name = secrets.token_urlsafe(32)
        self._sessions[name] = self._clock() + SESSION_S
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return f"{self._cookie}={name}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION_S:.0f}"

    def log_out(self, headers: Mapping[str, str]) -> str:
        """Ends a session and returns the value of `Set-Cookie`."""
        self._sessions.pop(_cookies(headers).get(self._cookie, ""), None)
        return f"{self._cookie}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"

    def _has_session(self, headers: Mapping[str, str]) -> bool:
        end_s: Optional[float] = self._sessions.get(_cookies(headers).get(self._cookie, ""))
        return end_s is not None and self._clock() < end_s


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_same(origin: str, host: str) -> bool:
    scheme, _, name = origin.partition("://")
    return scheme in ("http", "https") and name.lower() == host.lower()


def _cookies(headers: Mapping[str, str]) -> Dict[str, str]:
    pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    return {name: value for name, _, value in pairs}
