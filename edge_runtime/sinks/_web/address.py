"""Reads the address of what is served: `http://127.0.0.1:8080`, `http://0.0.0.0:8080?token=env:PAGE_TOKEN`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Dict, Mapping, Tuple

from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import Field
from edge_runtime.sinks import _query
from edge_runtime.sinks._address import secret_of, split

FPS, WIDTH = 10.0, 1280
SHORTEST = 16  # characters of a token: one that cannot be found by trying
COMMON: Dict[str, Field] = {"token": fields.text(4096), "name": fields.text(1000)}


@dataclass(frozen=True)
class Served:
    """What may be served at an address.

    Attributes:
        what: it is, in a word.
        example: an address that others can reach.
        port: if none is given.
        host: if none is given; "" if it must be given.
        needs_token: whether an address that others can reach must have a token.
        fields: options.
    """

    what: str
    example: str
    port: int
    host: str = ""
    needs_token: bool = True
    fields: Mapping[str, Field] = field(default_factory=lambda: COMMON)


PAGE = Served(
    "page", "http://0.0.0.0:8080?token=env:PAGE_TOKEN", 8080,
    fields={**COMMON, "fps": _query.number(0.1, 60), "width": _query.whole(64, 8192)},
)  # fmt: skip
METRICS = Served(
    "metrics", "prometheus://0.0.0.0:9464?token=env:METRICS_TOKEN", 9464, host="127.0.0.1", needs_token=False
)


@dataclass(frozen=True)
class Address:
    """Where it is served, and how.

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


def parse(target: str, served: Served = PAGE) -> Address:
    """The address of a target.

    Raises:
        UsageError: it is none, or it can be reached from outside and has no token although it must.
    """
    what, example = served.what, served.example
    parts, port = split(target, example)
    host = parts.hostname or served.host
    if parts.username is not None or parts.path not in ("", "/") or parts.fragment or not host:
        raise UsageError(f"the {what}'s address has a host and a port, and nothing else", hint=f"like {example}")
    port = served.port if port is None else port
    given = _query.options(f"the {what}", _query.of_address(parts.query), served.fields)
    token = _token(given, what)
    given.pop("token", None)
    names = tuple(filter(None, given.pop("name", "").lower().split(",")))
    if served.needs_token and not token and not is_loopback(host):
        fact = f"a {what} on {host} can be seen by others and needs a token"
        raise UsageError(fact, hint=f"{example}, or stay with {parts.scheme}://127.0.0.1:{port}")
    return Address(host, port, token, names, **given)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _token(given: Dict[str, str], what: str) -> str:
    token = secret_of(given, "token", "$(openssl rand -hex 16)")
    fits = len(token) >= SHORTEST and token.isascii() and token.isprintable() and token != given.get("token")
    if "token" in given and not fits:
        hint = f"give {SHORTEST} characters of ASCII or more: openssl rand -hex 16"
        raise UsageError(f"the {what}'s token is too short, or has other characters than ASCII", hint=hint)
    return token
