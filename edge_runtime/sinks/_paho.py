"""paho: whether it is here, and a client for one connection."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from edge_runtime.errors import SinkError
from edge_runtime.libraries import missing
from edge_runtime.libraries.extras import install_hint
from edge_runtime.sinks._address import Address
from edge_runtime.sinks._topics import DEATH

KEEPALIVE_S = 20  # a broker that does not answer for twice as long is lost
CONNECT_S = 10.0


def load_paho() -> Any:
    """paho.mqtt.client.

    Raises:
        SinkError: it is not here, or too old.
    """
    reason = missing("paho", install_hint("mqtt"))
    if reason:
        raise SinkError(f"MQTT needs paho-mqtt: {reason.split(': ')[0]}", hint=install_hint("mqtt"))
    module = import_module("paho.mqtt.client")
    if not hasattr(module, "CallbackAPIVersion"):
        raise SinkError("paho-mqtt is older than 2.0", hint=install_hint("mqtt"))
    return module


def new_client(address: Address, client_id: str, availability: str) -> Any:
    """A client that is not connected, with login, TLS and last will. Raises UsageError if TLS's files are odd."""
    paho = load_paho()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
    client.connect_timeout = CONNECT_S
    client.max_inflight_messages_set(0)
    client.will_set(availability, DEATH, qos=1, retain=True)
    if address.user or address.password:
        client.username_pw_set(address.user, address.password or None)
    if address.scheme == "mqtts":
        client.tls_set_context(address.tls())
    return client
