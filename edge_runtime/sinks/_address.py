"""Takes an address of a server apart: where it is, what the user asks in its query, and what is secret."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Optional, Sequence, Tuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from edge_runtime.errors import UsageError
from edge_runtime.files.fields import nearest
from edge_runtime.files.given import resolve
from edge_runtime.sinks import _query
from edge_runtime.sinks._spool import Spool, default_folder
from edge_runtime.text import secrets

SPOOL = ("spool", "spool_mb")
TLS = ("ca", "cert", "key")
SPOOL_MB = 64  # by default
_MB = {"spool_mb": _query.whole(1, 1 << 20)}


@dataclass(frozen=True)
class Address:
    """A server.

    Attributes:
        public: the address as it may be shown: without password, and without the query.
        scheme: in lower case.
        host: name or number.
        port: TCP port.
        path: without a `/` in front.
        user: "" for none.
        password: "" for none.
        options: what the user asks in the query, by name.
    """

    public: str
    scheme: str
    host: str
    port: int
    path: str
    user: str
    password: str
    options: Mapping[str, str]

    def spool(self, name: str, more: str = "") -> Spool:
        """Opens the spool: `?spool=DIR&spool_mb=64`. Raises SinkError, UsageError.

        Args:
            name: the kind of its records, which others cannot read. It is in the name of the folder.
            more: what tells it from other spools of this server.
        """
        stated = self.options.get("spool")
        folder = Path(stated, name) if stated else default_folder(name, self.public + more)
        return Spool(folder, self.read_spool_mb() << 20)

    def read_spool_mb(self) -> int:
        """The most megabytes of the spool. Raises UsageError."""
        given = {"spool_mb": self.options.get("spool_mb", str(SPOOL_MB))}
        return int(_query.options(self.public, given, _MB)["spool_mb"])

    def tls(self) -> ssl.SSLContext:
        """TLS that is verified, by the system's certificates or `?ca=FILE`. `?cert=FILE&key=FILE` says who we are.

        Raises:
            UsageError: a file cannot be used.
        """
        given = {name: self.options.get(name) or None for name in TLS}
        try:
            context = ssl.create_default_context(cafile=given["ca"])
            if given["cert"]:
                context.load_cert_chain(given["cert"], given["key"])
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            said = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            hint = "ca, cert and key in the query are files in PEM form"
            raise UsageError(f"{self.public}: its certificates cannot be used: {said}", hint=hint) from None
        return context


def parse(target: str, ports: Mapping[str, int], names: Sequence[str]) -> Address:
    """Takes an address apart. Its password may stand in `?password=@FILE` or `?password=env:NAME`.

    Args:
        ports: the port of each scheme, if the address names none.
        names: what the query may ask.

    Raises:
        UsageError: it is not such an address.
    """
    found, port = split(target, "SCHEME://HOST:PORT/PATH")
    scheme, host = found.scheme.lower(), found.hostname
    if not host:
        raise UsageError(f"{secrets.public(target)} names no host", hint=f"{scheme}://HOST:{ports[scheme]}/…")
    if port == 0:
        raise UsageError(f"{secrets.public(target)} has the port 0", hint=f"usual is {ports[scheme]}")
    pairs = _query.of_address(found.query)
    unknown = next((name for name in pairs if name not in (*names, "password")), None)
    if unknown is not None:
        raise UsageError(f"unknown {unknown!r} in the query of {secrets.public(target)}", hint=nearest(unknown, names))
    options = {name: value for name, value in pairs.items() if name in names}
    user, password = unquote(found.username or ""), unquote(found.password or "")
    password = secret_of(pairs, "password") or password
    name = bracketed(host) if ":" in host else quote(host, safe="._-~")
    shown = f"{scheme}://{name}:{port or ports[scheme]}{found.path}"
    path = unquote(found.path).lstrip("/")
    return Address(shown, scheme, host, port or ports[scheme], path, user, password, options)


def split(target: str, example: str) -> Tuple[SplitResult, Optional[int]]:
    """The parts of an address, and its port if it has one. From here on no error shows its password.

    Args:
        example: an address, for messages.

    Raises:
        UsageError: it is no address.
    """
    shown = secrets.public(target)
    try:
        found = urlsplit(target)
        return found, found.port
    except ValueError as error:
        raise UsageError(
            f"{shown} is no address: no port from 0 to 65535, or half a host", hint=f"like {example}"
        ) from error


def secret_of(options: Mapping[str, str], name: str, example: str = "…") -> str:
    """The text of an option that must not be written out: `env:NAME` or `@FILE`; "" if it is not given.

    Args:
        example: one such text, for messages.

    Raises:
        UsageError: it is written out, or cannot be read.
    """
    value = options.get(name, "")
    if value and not value.startswith(("env:", "@")):
        hint = "give it as @FILE or env:NAME there, because a list of processes shows what is written out"
        raise UsageError(f"the {name} is written out in the query", hint=hint)
    found = resolve(value, name, example) if value else ""
    secrets.remember(found)
    return found


def bracketed(host: str) -> str:
    """A host as it stands in an address, where a number of IPv6 has brackets."""
    return f"[{host}]" if ":" in host else host
