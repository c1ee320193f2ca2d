"""Serves metrics to Prometheus, with `/healthz` and `/readyz`: `prometheus://127.0.0.1:9464`. docs/prometheus.md."""

from __future__ import annotations

from importlib import import_module
from typing import Optional, cast

from edge_runtime import libraries
from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries.extras import install_hint
from edge_runtime.sinks import EventSink, SinkOptions
from edge_runtime.sinks._web.address import METRICS, Address, parse
from edge_runtime.sinks._web.listening import taken
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
    address = _parsed(target)
    metrics = import_module("edge_runtime.sinks._web.metrics")  # not before, because asyncio and h11 take time to load
    return cast(EventSink, metrics.MetricsSink(public(target), address))


def check(target: str, options: SinkOptions) -> str:
    """See `sinks.check`."""
    address = _parsed(target)
    return taken(address.host, address.port, METRICS.what)


def _parsed(target: str) -> Address:
    reason = available()
    if reason:
        raise BackendUnavailable(reason.partition(":")[0], hint=install_hint("prometheus"))
    return parse(target, METRICS)
