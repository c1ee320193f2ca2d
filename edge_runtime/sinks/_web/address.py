"""Reads the target of a page: `http://127.0.0.1:8080`, `http://0.0.0.0:8080?token=env:PAGE_TOKEN`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Dict, Tuple
from urllib.parse import parse_qsl, urlsplit

from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import check_fields
from edge_runtime.sinks._address import secret_of

PORT, FPS, WIDTH = 8080, 10.0, 1280
SHORTEST = 16  # characters of a token: one that cannot be found by trying
EXAMPLE = "http://0.0.0.0:8080?token=env:PAGE_TOKEN"


@dataclass(frozen=True)
class Address:
    """Where a page is served, and how.

    Attributes:
        host: name or IP address to bind.
        port: 0 takes any free one.
        token: what a viewer must know; "" for everybody.
        names: names of this machine that a browser may use besides IP addresses.
        fps: pictures per second of each stream.
        width: pictures that are wider are scaled down to so many pixels.
    """

    host: str
    port: int
    token: str = ""
    names: Tuple[str, ...] = ()
    fps: float = FPS
    width: int = WIDTH


def parse(target: str) -> Address:
    """The address of a target.

    Raises:
        UsageError: it is none, or it can be reached from outside and has no token.
    """
    host, port, query = _split(target)
    given = check_fields(_numbers(dict(parse_qsl(query))), FIELDS, "the page: ", UsageError)
    token = _token(given)
    given.pop("token", None)
    names = tuple(given.pop("name", "").lower().split(",")) if given.get("name") else ()
    if not token and not is_loopback(host):
        fact = f"a page on {host} can be seen by others and needs a token"
        raise UsageError(fact, hint=f"{EXAMPLE}, or stay with http://127.0.0.1:{port}")
    return Address(host, port, token, names, **given)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _split(target: str) -> Tuple[str, int, str]:
    """Host, port and query."""
    try:
        parts = urlsplit(target)
        port = PORT if parts.port is None else parts.port
    except ValueError as error:
        raise UsageError(f"{target!r} has no port from 0 to 65535", hint=f"expected one like {EXAMPLE}") from error
    if parts.username is not None or parts.path not in ("", "/") or parts.fragment or not parts.hostname:
        raise UsageError("a page's address has a host and a port, and nothing else", hint=f"like {EXAMPLE}")
    return parts.hostname, port, parts.query


def _numbers(given: Dict[str, str]) -> Dict[str, object]:
    """Options that are numbers become numbers. A word stays one and is refused."""

    def read(name: str, text: str) -> object:
        try:
            return {"fps": float, "width": int}.get(name, str)(text)
        except ValueError:
            return text

    return {name: read(name, text) for name, text in given.items()}


def _token(given: Dict[str, str]) -> str:
    token = secret_of(given, "token", "$(openssl rand -hex 16)")
    fits = len(token) >= SHORTEST and token.isascii() and token.isprintable() and token != given.get("token")
    if given.get("token") and not fits:
        hint = f"give {SHORTEST} characters of ASCII or more: openssl rand -hex 16"
        raise UsageError("the page's token is too short, or has other characters than ASCII", hint=hint)
    return token


FIELDS = {
    "token": fields.text(4096),
    "name": fields.text(1000),
    "fps": fields.number(0.1, 60),
    "width": fields.whole(64, 8192),
}
