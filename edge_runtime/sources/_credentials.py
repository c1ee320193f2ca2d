"""How a user proves to be one, to a server: Basic, and Digest with MD5 or SHA-256, of a session or not (RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from typing import Dict

from edge_runtime.text.escape import printable

PAIR = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
HASHES = {"": hashlib.md5, "MD5": hashlib.md5, "SHA-256": hashlib.sha256}
SESSION = "-SESS"
LONGEST = 100  # characters of what a server says, for a message


class Credentials:
    """A user, a password, and what the server said of how it wants them.

    Attributes:
        problem: why the last challenge cannot be answered.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password
        self._kind, self._said = "", {}  # type: str, Dict[str, str]
        self._count, self.problem = 0, ""

    def challenge(self, said: str) -> bool:
        """Takes the server's challenges, one a line. Whether another try makes sense.

        It does not without a user, and where this very challenge has been answered: the password is wrong.
        """
        listed = [(line.split(" ", 1)[0].lower(), _pairs(line)) for line in said.split("\n") if line]
        offers = {name: offer for name, offer in listed if name != "digest" or _known(offer)}
        kind = next((name for name in ("digest", "basic") if name in offers), "")
        unknown = ", ".join(f"{name} {offer.get('algorithm', '')}".strip() for name, offer in listed)
        unknown = printable(unknown[:LONGEST])
        self.problem = "wrong user or password" if kind or not listed else f"it knows only {unknown}, which we do not"
        if not kind or not self._user or (kind, offers[kind]) == (self._kind, self._said):
            return False
        self._kind, self._said, self._count = kind, offers[kind], 0
        return True

    def sign(self, method: str, url: str) -> str:
        """The header Authorization; "" if the server asked for nothing."""
        if self._kind == "basic":
            return "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        return self._digest(method, url) if self._kind else ""

    def _digest(self, method: str, url: str) -> str:
        said = self._said
        name = said.get("algorithm", "").upper()
        hashed, own = HASHES[name.replace(SESSION, "")], os.urandom(8).hex()

        def digest(*parts: str) -> str:
            return hashed(":".join(parts).encode()).hexdigest()

        realm, nonce = said.get("realm", ""), said.get("nonce", "")
        secret, wanted = digest(self._user, realm, self._password), digest(method, url)
        secret = digest(secret, nonce, own) if name.endswith(SESSION) else secret
        fields = {"username": self._user, "realm": realm, "nonce": nonce, "uri": url}
        if "auth" in said.get("qop", "").replace(" ", "").split(","):
            self._count += 1
            count = f"{self._count:08x}"
            fields["response"] = digest(secret, nonce, count, own, "auth", wanted)
            more = f', qop=auth, nc={count}, cnonce="{own}"'
        else:
            fields["response"] = digest(secret, nonce, wanted)
            more = f', cnonce="{own}"' if name.endswith(SESSION) else ""
        fields.update({name: said[name] for name in ("opaque", "algorithm") if name in said})
        return "Digest " + ", ".join(f'{name}="{value}"' for name, value in fields.items()) + more


def _pairs(line: str) -> Dict[str, str]:
    return {name.lower(): quoted or plain for name, quoted, plain in PAIR.findall(line.partition(" ")[2])}


def _known(offer: Dict[str, str]) -> bool:
    return offer.get("algorithm", "").upper().replace(SESSION, "") in HASHES
