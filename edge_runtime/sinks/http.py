"""Serves a page with live pictures, charts and events: `http://127.0.0.1:8080`."""

from __future__ import annotations

from importlib import import_module
from typing import Optional, cast

from edge_runtime import libraries
from edge_runtime.errors import BackendUnavailable
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.libraries.extras import install_hint
from edge_runtime.sinks import Sink, SinkOptions
from edge_runtime.sinks._web.address import PAGE, Address, parse
from edge_runtime.sinks._web.listening import taken
from edge_runtime.text.secrets import public

HANDLES = ("http://",)


def available() -> Optional[str]:
    """None, or why there can be no page."""
    return libraries.missing("h11", install_hint("page"))


def open(target: str, options: SinkOptions) -> Sink:
    """Binds the address and serves the page. Its `note` is the address.

    Raises:
        BackendUnavailable: h11 or OpenCV cannot be loaded.
        SinkError: the address cannot be bound.
        UsageError: it is no address, or others can reach it and it has no token.
    """
    address = _parsed(target)
    page = import_module("edge_runtime.sinks._web.page")  # not before, because asyncio and h11 take time to load
    return cast(Sink, page.PageSink(public(target), address, options))


def check(target: str, options: SinkOptions) -> str:
    """See `sinks.check`."""
    address = _parsed(target)
    return taken(address.host, address.port, PAGE.what)


def _parsed(target: str) -> Address:
    reason = available()
    if reason:
        raise BackendUnavailable(reason.partition(":")[0], hint=install_hint("page"))
    load_cv2()
    return parse(target)
