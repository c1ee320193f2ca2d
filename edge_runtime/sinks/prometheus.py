"""Serves metrics to Prometheus, with `/healthz` and `/readyz`: `prometheus://127.0.0.1:9464`. docs/prometheus.md."""

from __future__ import annotations

from importlib import import_module
from typing import Optional, cast

from edge_runtime import libraries
from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries.extras import install_hint
from edge_runtime.sinks import EventSink, SinkOptions
from edge_runtime.text.secrets import public

HANDLES = ("prometheus://",)
WITHOUT_IDS = True


def available() -> Optional[str]:
    """None, or why there can be no metrics."""
    hint = install_hint("prometheus")
    return libraries.missing("h11", hint) or libraries.missing("prometheus_client", hint)


def open_events(target: str, options: SinkOptions = SinkOptions()) -> EventSink:
    """Binds the address and serves the metrics. Its `note` is the address.

    Raises:
        BackendUnavailable: prometheus-client or h11 cannot be loaded.
        SinkError: the address cannot be bound.
        UsageError: it is no address.
    """
    reason = available()
    if reason:
        raise BackendUnavailable(reason.partition(":")[0], hint=install_hint("prometheus"))
    web = "edge_runtime.sinks._web"  # loaded only if it is wanted, because asyncio and h11 take time to load
    address = import_module(f"{web}.address")
    sink = import_module(f"{web}.metrics").MetricsSink
    return cast(EventSink, sink(public(target), address.parse(target, address.METRICS)))
