"""Serves a page with live pictures, charts and events: `http://127.0.0.1:8080`."""

from __future__ import annotations

from importlib import import_module
from typing import Optional, cast

from edge_runtime import libraries
from edge_runtime.errors import BackendUnavailable
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.libraries.extras import install_hint
from edge_runtime.sinks import Sink, SinkOptions
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
    reason = available()
    if reason:
        raise BackendUnavailable(reason.partition(":")[0], hint=install_hint("page"))
    load_cv2()
    web = "edge_runtime.sinks._web"  # loaded only for a page, because asyncio and h11 take time to load
    address = import_module(f"{web}.address").parse(target)
    return cast(Sink, import_module(f"{web}.page").PageSink(public(target), address, options))
