"""Sends events to an MQTT broker, by paho: `mqtt://host:port/prefix`, or `mqtts://` for TLS.

Topics and options: docs/outputs.md.
"""

from __future__ import annotations

import hashlib
import socket
from typing import Any, Dict, Optional, Tuple

from edge_runtime.sinks import SinkOptions
from edge_runtime.sinks._address import SPOOL, TLS, Address, parse
from edge_runtime.sinks._discovery import Discovery
from edge_runtime.sinks._link import Link
from edge_runtime.sinks._paho import load_paho
from edge_runtime.sinks._topics import Topics, level
from edge_runtime.types.events import REMOVED, Event

HANDLES = ("mqtt://", "mqtts://")
PORTS = {"mqtt": 1883, "mqtts": 8883}
HOME_ASSISTANT = "homeassistant"


def open_events(target: str, options: SinkOptions = SinkOptions()) -> MqttSink:
    """Opens a broker. It need not be there yet.

    Raises:
        SinkError: paho is not here, or the spool cannot be made.
        UsageError: the address makes no sense, or another run uses its spool.
    """
    return MqttSink(*_parsed(target))


def check(target: str, options: SinkOptions) -> str:
    """See `sinks.check`."""
    _parsed(target)
    return ""


def _parsed(target: str) -> Tuple[Address, Topics, Optional[Discovery]]:
    load_paho()
    address = parse(target, PORTS, (*SPOOL, *TLS, "discovery"))
    topics = Topics(address.path.rstrip("/") or f"edge/{level(socket.gethostname())}")
    found = _found(address)
    if address.scheme == "mqtts":
        address.tls()  # said now, not in a thread
    address.read_spool_mb()
    return address, topics, Discovery(Topics(found).prefix, topics) if found else None


def _found(address: Address) -> str:
    """Home Assistant's prefix; "" if nothing is to be discovered."""
    return address.options.get("discovery", HOME_ASSISTANT)


def _heard(address: Address, discovery: Optional[Discovery]) -> Dict[str, Any]:
    """What a link listens to for Home Assistant: its birth, and what an earlier run told it."""
    if discovery is None:
        return {}
    return {"again": f"{_found(address)}/status", "retained": discovery.topic, "told": discovery.told}


class MqttSink:
    """Sends what happened in order and at least once, and states as retained messages."""

    def __init__(self, address: Address, topics: Topics, discovery: Optional[Discovery]) -> None:
        self.target = address.public
        self._topics, self._discovery = topics, discovery
        own = f"{socket.gethostname()}\0{topics.prefix}"
        name = hashlib.sha256(own.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self._spool = address.spool("mqtt")
        try:
            self._link = Link(address, self._spool, f"edge-{name}", topics.availability, **_heard(address, discovery))
        except BaseException:
            self._spool.close()
            raise

    def take(self, event: Event) -> None:
        """See `EventSink.take`."""
        for message in self._topics.lasting(event, self._spool.next):
            self._spool.append(message.pack())
        state = self._topics.state(event)
        if state is not None:
            self._link.states.put(state)
        if event.kind == "source":
            topics = {self._topics.of_source(event.source, what) for what in ("state", "counts")}
            self._link.states.keep(topics, event.data.get("state") != REMOVED)
        if self._discovery is not None and self._discovery.see(event):
            self._link.states.put(self._discovery.message())
        self._link.wake()

    def summary(self) -> Dict[str, Any]:
        """See `EventSink.summary`. Events and pictures count one each. "lost" has those that are "refused", too."""
        spool, link = self._spool, self._link
        lost, refused = spool.lost + link.refused, {"refused": link.refused} if link.refused else {}
        counts = {"sent": link.sent, "waiting": spool.waiting, "lost": lost, **refused, "torn": spool.torn}
        trouble = "; ".join(filter(None, (link.trouble, spool.trouble)))
        return {"state": link.state, **counts, **({"trouble": trouble} if trouble else {})}

    def close(self) -> None:
        """See `EventSink.close`."""
        self._link.close()
