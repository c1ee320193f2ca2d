"""What our clients of RTSP and of HTTP share: ports, certificates, and what a server may say."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Optional
from urllib.parse import SplitResult

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
REFUSED = (401, 403)
UNCHECKED = "none"  # in place of a file of certificates


class Unfit(Exception):
    """FFmpeg must read this stream by itself: another codec, a server that does not send over TCP, a playlist."""


class Refused(OSError):
    """The camera wants another user or password, or does not let us in."""


def port_of(parts: SplitResult) -> int:
    """The port of an address. Raises OSError if it is none."""
    with suppress(ValueError):  # whose text may hold a password
        return parts.port or PORTS[parts.scheme.lower()]
    raise OSError(0, "the address has no port number where one should be")


def context_of(ca_file: Optional[str]) -> ssl.SSLContext:
    """Cameras have certificates of their own: with such a file, the name in it does not matter."""
    context = ssl.create_default_context(cafile=None if ca_file == UNCHECKED else ca_file)
    context.check_hostname = ca_file is None
    if ca_file == UNCHECKED:
        context.verify_mode = ssl.CERT_NONE
    return context
