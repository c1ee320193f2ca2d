"""The sink of Prometheus: it keeps the newest figures of the run, and serves them."""

from __future__ import annotations

from time import monotonic
from typing import Any, Dict, Iterator, Optional, Sequence, Tuple, cast

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from edge_runtime.sinks import RunView
from edge_runtime.sinks._exposition import Counts, families
from edge_runtime.sinks._web.address import Address, is_loopback
from edge_runtime.sinks._web.answers import Answers
from edge_runtime.sinks._web.connection import Connection, Refused, Request
from edge_runtime.sinks._web.guard import READING, Guard
from edge_runtime.sinks._web.server import Server
from edge_runtime.text.escape import printable
from edge_runtime.types.events import Event

OLD_S = 10.0  # figures come once a second; those that are so old say nothing of now
TEXT = "text/plain; charset=utf-8"
NOT_BEGUN = "the run has not begun"


class MetricsSink:
    """An `EventSink`. With each event "status" it looks at the run, in its own thread.

    Attributes:
        target: without the token.
        url: the address of the metrics.
        note: what people should know.
    """

    def __init__(self, target: str, address: Address) -> None:
        self.target = target
        self._counts, self._taken = Counts(), 0
        self._run: Optional[RunView] = None
        self._metrics: Sequence[Metric] = ()
        self._metrics_s = 0.0
        self._registry = CollectorRegistry()
        self._registry.register(cast(Collector, self))
        self._server = Server(address, "metrics")
        self.url = f"{self._server.url}metrics"
        seen = "" if is_loopback(address.host) else " (without a token: whoever reaches it can read them)"
        self.note = f"metrics: {self.url}" + (" (with the token)" if address.token else seen)
        self._server.start(_Site(Guard(address, self._server.port), self))

    def observe(self, run: RunView) -> None:
        """See `sinks.observe`."""
        self._run = run

    def take(self, event: Event) -> None:
        """See `EventSink.take`."""
        self._taken += 1
        self._counts.take(event)
        if event.kind == "status" and self._run is not None:
            figures = self._run.figures()
            self._counts.keep(figures["streams"])
            self._metrics, self._metrics_s = list(families(figures, self._counts)), monotonic()

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        yield from self._metrics

    def exposition(self, accepts: str) -> Tuple[bytes, str]:
        """The metrics, and their type.

        Raises:
            Refused: there are no figures of now.
        """
        if not self._metrics:
            raise Refused(503, NOT_BEGUN)
        age_s = monotonic() - self._metrics_s
        if age_s > OLD_S:
            raise Refused(503, f"the last figures are {age_s:.0f} s old", "another output or the run hangs")
        encoder, kind = choose_encoder(accepts)
        return encoder(self._registry), kind

    def stuck(self) -> str:
        """Why the process must be started anew; "" if it need not."""
        return self._run.stuck() if self._run else ""

    def unready(self) -> str:
        """Why there are no results now; "" if there are."""
        return self._run.unready() if self._run else NOT_BEGUN

    def summary(self) -> Dict[str, Any]:
        """See `EventSink.summary`."""
        return {"taken": self._taken, "connections": self._server.connections}

    def close(self) -> None:
        """See `EventSink.close`."""
        self._server.close()


class _Site(Answers):
    def __init__(self, guard: Guard, sink: MetricsSink) -> None:
        super().__init__(guard)
        self._sink = sink

    async def _route(self, connection: Connection, request: Request) -> None:
        if request.method not in READING:
            raise Refused(405, "this address cannot be written", headers=[("Allow", "GET, HEAD")])
        allowed = self._guard.is_allowed(request.headers, request.peer)
        if request.path in ("/healthz", "/readyz"):
            return await self._say(connection, request.path, allowed)
        if not allowed:
            raise Refused(401, "this needs the token", "send the header Authorization: Bearer TOKEN")
        if request.path != "/metrics":
            raise Refused(404, "there is nothing at this address", "there are /metrics, /healthz and /readyz")
        text, kind = self._sink.exposition(request.headers.get("accept", ""))
        await self._send(connection, 200, kind, text)

    async def _say(self, connection: Connection, path: str, allowed: bool) -> None:
        """Probes need no token. Without it they hear no reason, because it names sources."""
        reason = self._sink.stuck() if path == "/healthz" else self._sink.unready()
        said = (printable(reason) if allowed else "no") if reason else "ok"
        await self._send(connection, 503 if reason else 200, TEXT, f"{said}\n".encode("utf-8", "replace"))
