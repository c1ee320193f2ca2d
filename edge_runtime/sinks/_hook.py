"""The address of a webhook: what is sent as it is written, and behind `#` what we are asked, which is never sent."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Dict, Mapping, Tuple

from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import Field
from edge_runtime.sinks import _query
from edge_runtime.sinks._address import SPOOL, TLS, Address, bracketed, secret_of, split
from edge_runtime.sinks._topics import STATES
from edge_runtime.sinks._web.address import is_loopback
from edge_runtime.text import secrets
from edge_runtime.types.events import KINDS

SCHEMES: Dict[str, int] = {"webhook+https": 443, "webhook+http": 80}
EXAMPLE = "webhook+https://HOST/PATH#secret=env:HOOK_SECRET"
_WRITTEN = re.compile(r"[^/?#]*://[^/?#]*([^#]*)(?:#(.*))?", re.DOTALL)


def _kinds() -> Field:
    def take(value: str) -> Tuple[str, ...]:
        found = tuple(value.split(","))
        if not set(found) <= set(KINDS):
            raise ValueError(value)
        return found

    return Field(f"some of {','.join(KINDS)}", take)


FIELDS: Mapping[str, Field] = {
    **dict.fromkeys(("secret", "authorization", *SPOOL, *TLS), fields.text(4096)),
    "kinds": _kinds(),
    "pictures": _query.yes_or_no(),
}


@dataclass(frozen=True)
class Hook:
    """A webhook.

    Attributes:
        public: a name that may be shown. Two hooks of one server have different ones.
        address: the server, and options for spool and TLS.
        requested: path and query, exactly as they are sent. They are a secret.
        kinds: of the events that are posted.
        pictures: whether events have their pictures.
        secret: signs what is posted; "" for none.
        authorization: value of this header; "" for none.
    """

    public: str
    address: Address
    requested: str = field(repr=False)
    kinds: Tuple[str, ...]
    pictures: bool
    secret: str = field(repr=False)
    authorization: str = field(repr=False)

    @property
    def tls(self) -> bool:
        """Whether the server is asked over TLS."""
        return self.address.scheme == "webhook+https"

    @property
    def note(self) -> str:
        """What people should know; "" if there is nothing."""
        if self.tls or is_loopback(self.address.host):
            return ""
        return f"webhook: {self.public}: without TLS, events and path can be read on the way"

    def headers(self, body: bytes, event_id: str, now_s: int) -> Dict[str, str]:
        """The headers of a request. The signature is of the time, a point, and the body."""
        found = {"Content-Type": "application/json", "Idempotency-Key": event_id, "X-Edge-Timestamp": str(now_s)}
        if self.secret:
            signed = hmac.new(self.secret.encode(), b"%d." % now_s + body, hashlib.sha256)
            found["X-Edge-Signature"] = f"sha256={signed.hexdigest()}"
        return {**found, **({"Authorization": self.authorization} if self.authorization else {})}


def parse(target: str) -> Hook:
    """The webhook of an address.

    Raises:
        UsageError: it is none.
    """
    shown = secrets.public(target)
    parts, port = split(target, EXAMPLE)
    scheme, host = parts.scheme.lower(), parts.hostname
    if not host or parts.username is not None or port == 0:
        hint = f"like {EXAMPLE}; a login is given by #authorization=env:NAME"
        raise UsageError(f"{shown} needs a host, a port above 0 or none, and no user", hint=hint)
    match = _WRITTEN.fullmatch(target)
    requested, behind = match[1] if match else "", (match[2] or "") if match else ""
    requested = requested if requested.startswith("/") else f"/{requested}"
    if not re.fullmatch(r"[!-~]+", requested):
        fact = f"path or query of {shown} have blanks or characters that are not ASCII"
        raise UsageError(fact, hint="write them percent-encoded: %20 for a blank")
    given = _query.options(shown, _query.of_address(behind), FIELDS)
    secret, authorization = (_header_secret(given, name) for name in ("secret", "authorization"))
    kinds = given.pop("kinds", tuple(kind for kind in KINDS if kind not in STATES))
    server = f"{scheme}://{bracketed(host)}:{port or SCHEMES[scheme]}"
    name = f"{server} ({hashlib.sha256(requested.encode()).hexdigest()[:6]})"
    address = Address(name, scheme, host, port or SCHEMES[scheme], "", "", "", given)
    return Hook(name, address, requested, kinds, given.pop("pictures", False), secret, authorization)


def _header_secret(given: Dict[str, str], name: str) -> str:
    found = secret_of(given, name)
    if name in given and not (found and found.isascii() and found.isprintable()):
        raise UsageError(f"the {name} of a webhook has no characters, or others than ASCII", hint=f"like {EXAMPLE}")
    given.pop(name, None)
    return found
