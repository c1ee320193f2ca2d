"""A real Mosquitto on a free port of loopback, a subscriber that misses nothing, and events to send."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import pytest

from edge_runtime.types.events import Event

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
RUN = "run1"


def event(number: int, kind: str = "new", source: str = "gate", **more: Any) -> Event:
    return Event(kind, source, 1e9 + number, number, RUN, f"{RUN}-{number}", more.pop("data", {"label": "car"}), **more)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until(true: Callable[[], Any], limit_s: float = 20.0) -> None:
    end_s = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end_s, "it did not come"
        time.sleep(0.01)


class Broker:
    """Args: lines: more lines of its configuration. port: 0 for a free one."""

    def __init__(self, folder: Path, lines: Sequence[str] = ("allow_anonymous true",), port: int = 0) -> None:
        if MOSQUITTO is None:
            pytest.skip("no mosquitto here")
        self.port, self._folder = port or free_port(), folder
        stored = ("persistence true", f"persistence_location {folder}/", "max_queued_messages 0", "user root")
        text = "\n".join([f"listener {self.port} 127.0.0.1", *stored, *lines, ""])
        (folder / "mosquitto.conf").write_text(text, encoding="utf-8")
        self.start()

    def start(self) -> None:
        command = [str(MOSQUITTO), "-c", str(self._folder / "mosquitto.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers)

    def save(self) -> None:
        """Its sessions are on its disk from here on, so that a subscription survives a kill."""
        database = self._folder / "mosquitto.db"
        self._process.send_signal(signal.SIGUSR1)
        until(database.is_file)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, "mosquitto did not start"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


class Subscriber:
    """Keeps every message: (topic, payload, retained). It comes back by itself, with its session."""

    def __init__(self, port: int, topic: str = "#", login: Tuple[str, str] = ("", "")) -> None:
        paho = pytest.importorskip("paho.mqtt.client")
        self.messages: List[Tuple[str, bytes, bool]] = []
        self.subscribed = 0
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="subscriber", clean_session=False)
        if login[0]:
            self._client.username_pw_set(*login)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda *_: self._client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: setattr(self, "subscribed", self.subscribed + 1)
        self._client.on_message = lambda _c, _d, m: self.messages.append((m.topic, m.payload, bool(m.retain)))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        until(lambda: self.subscribed)

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(10)

    def events(self) -> List[Dict[str, Any]]:
        return [json.loads(payload) for topic, payload, _ in list(self.messages) if "/events/" in topic]

    def last(self, topic: str) -> bytes:
        return next((payload for name, payload, _ in reversed(list(self.messages)) if name == topic), b"")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    made = Broker(folder)
    yield made
    made.kill()


@pytest.fixture
def heard(broker: Broker) -> Iterator[Subscriber]:
    made = Subscriber(broker.port)
    yield made
    made.close()
