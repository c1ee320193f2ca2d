"""Removes passwords and tokens in addresses from everything that is shown or written."""

from __future__ import annotations

import re
from typing import Set
from urllib.parse import unquote

HIDDEN = "***"
LONG = 8  # characters of a path that is a secret; a shorter one can be an everyday word
SHORTEST = 4  # a shorter secret is hidden in an address, but not searched for in other text

# The text between :// and @. A password may contain / ? # and @ although it should not, so everything up to the last @
# is removed. But in synthetic://1280x720@30 this text is a size.
_LOGIN = r"(?<=://)(?!(?<=\bsynthetic://)[\dx]*@)(?:{plain}{{0,999}}@|{plain}{{0,999}}:{any}{{0,4096}}@)"
_LOGIN_IN_TEXT = re.compile(_LOGIN.format(plain=r"[^\s\"'<>/?#@]", any=r"[^\s\"'<>]"), re.IGNORECASE)
_LOGIN_OF_TARGET = re.compile(_LOGIN.format(plain=r"[^/?#@]", any="."), re.IGNORECASE | re.DOTALL)

# Every part has a length limit, so that the time grows with the text's length and not with its square.
# name=value in a URL's query or a GStreamer element. Short names count only in a query.
_SECRET = r"[\w.-]{0,64}(?:pass(?:w(?:or)?d|phrase)?|pwd|token|secret|credentials?|authorization|signature|api[_-]?key)"
_OF_GSTREAMER = r"(?:user|proxy)-(?:id|pw)|cookies|extra-headers"
_OF_QUERY = r"(?<=[?&;#])[\w.-]{0,64}(?:key|auth|pw|pas|sig|jwt|sid|session|code|usr|user)"
_NAME = r"""(?!env:\w+(?:[\s&;#"'<>,]|$))"""  # token=env:NAME says where a secret is, and is none
_VALUE = _NAME + r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s&;#"'<>]+)"""
_PAIR = re.compile(rf"({_SECRET}|{_OF_GSTREAMER}|{_OF_QUERY})\s*=\s*(?:\(\w+\)\s*)?{_VALUE}", re.IGNORECASE)

# Path, query and options of a webhook. Who knows the path may post there. HOST is that of an example.
_HOOK = re.compile(
    r"(webhook\+https?://)(?!(?-i:HOST/))(?:[^/?#\s\"'<>]{0,4096}@)?([^/?#\s\"'<>]{0,999})([/?#][^\s\"'<>]*)",
    re.IGNORECASE,
)

_opened: Set[str] = set()  # secrets of the addresses that were opened


def public(target: str) -> str:
    """The name of a source without user, password and token, so that it may appear anywhere.

    The secrets are remembered, so that `redact` finds them in the messages of libraries.
    """
    hook = _HOOK.match(target)
    if hook:
        remember(*(part for part in hook[3].partition("#")[0].split("?") if len(part) >= LONG))
        return f"{hook[1]}{hook[2]}/…"
    found = [
        pair[2].strip("\"'") for pair in _PAIR.finditer(target) if not pair[1].lower().endswith(("id", "user", "usr"))
    ]
    login = None if target.startswith("gst:") else _LOGIN_OF_TARGET.search(target)
    if login:
        user_and_password = login[0][:-1]
        found += [user_and_password, user_and_password.partition(":")[2]]
        target = f"{target[: login.start()]}{target[login.end() :]}"
    remember(*found)
    return redact(target)


def holds_secret(text: str) -> bool:
    """Whether something in a text looks like a secret. A word that is one elsewhere does not count."""
    login = None if text.startswith("gst:") else _LOGIN_OF_TARGET.search(text)
    return any((login, _LOGIN_IN_TEXT.search(text), _HOOK.search(text), _PAIR.search(text)))


def remember(*found: str) -> None:
    """From here on `redact` finds these secrets, also in the messages of libraries."""
    _opened.update(word for text in found for word in (text, unquote(text)) if len(word) >= SHORTEST)


def redact(text: str) -> str:
    """The text without the secrets of opened sources, and without anything in an address that looks like a secret."""
    for secret in sorted(_opened, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    text = _HOOK.sub(r"\1\2/…", text)
    return _PAIR.sub(rf"\1={HIDDEN}", _LOGIN_IN_TEXT.sub("", text))
