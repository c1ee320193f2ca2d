"""Takes an address of a server apart: where it is, what the user asks in its query, and what is secret."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from edge_runtime.errors import UsageError
from edge_runtime.files.fields import Field, check_fields, nearest, whole
from edge_runtime.files.given import resolve
from edge_runtime.sinks._spool import Spool, default_folder
from edge_runtime.text import secrets

SPOOL = ("spool", "spool_mb")
TLS = ("ca", "cert", "key")
SPOOL_MB = 64  # by default
_MB: Dict[str, Field] = {"spool_mb": whole(1, 1 << 20)}


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

    def spool(self, name: str) -> Spool:
        """Opens the spool: `?spool=DIR&spool_mb=64`. Raises SinkError, UsageError."""
        megabytes = check_fields(
            {"spool_mb": _number(self.options.get("spool_mb"))}, _MB, f"{self.public}: ", UsageError
        )
        stated = self.options.get("spool")
        folder = Path(stated) if stated else default_folder(name, self.public)
        return Spool(folder, megabytes["spool_mb"] << 20)

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
    secrets.public(target)  # from here on no error shows its password
    try:
        found = urlsplit(target)
        port, host = found.port, found.hostname
    except ValueError as error:
        raise UsageError(f"{secrets.public(target)} is no address: {error}", hint="SCHEME://HOST:PORT/PATH") from None
    scheme = found.scheme.lower()
    if not host:
        raise UsageError(f"{secrets.public(target)} names no host", hint=f"{scheme}://HOST:{ports[scheme]}/…")
    pairs = dict(parse_qsl(found.query, keep_blank_values=True))
    unknown = next((name for name in pairs if name not in (*names, "password")), None)
    if unknown is not None:
        raise UsageError(f"unknown {unknown!r} in the query of {secrets.public(target)}", hint=nearest(unknown, names))
    options = {name: value for name, value in pairs.items() if name in names}
    user, password = unquote(found.username or ""), unquote(found.password or "")
    password = secret_of(pairs, "password") or password
    shown = f"{scheme}://{_name(host)}:{port or ports[scheme]}{found.path}"
    path = unquote(found.path).lstrip("/")
    return Address(shown, scheme, host, port or ports[scheme], path, user, password, options)


def secret_of(options: Mapping[str, str], name: str, example: str = "…") -> str:
    """The text of an option that must not be written out: `env:NAME` or `@FILE`; "" if it is not given.

    Args:
        example: one such text, for messages.

    Raises:
        UsageError: it is written out, or cannot be read.
    """
    value = options.get(name, "")
    if value and not value.startswith(("env:", "@")):
        hint = f"{name}=@FILE or {name}=env:NAME: a list of processes shows what is written out"
        raise UsageError(f"the {name} is written out in the query", hint=hint)
    found = resolve(value, name, example) if value else ""
    secrets.remember(found)
    return found


def _name(host: str) -> str:
    return f"[{host}]" if ":" in host else quote(host, safe="._-~")


def _number(text: Optional[str]) -> object:
    return SPOOL_MB if text is None else int(text) if text.isdecimal() else text
