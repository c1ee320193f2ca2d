"""Messages at which a real Mosquitto ends the connection, and brokers that are only away."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import pytest

from edge_runtime.sinks import _link, mqtt
from edge_runtime.sinks._suspect import TIMES
from edge_runtime.sinks.mqtt import MqttSink
from tests.sinks.brokers import Broker, Subscriber, event, free_port, until

pytest.importorskip("paho.mqtt.client")
LARGE = {"label": "x" * 5000}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_link, "FIRST_S", 0.1)


@pytest.fixture
def limited(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Tuple[Broker, Subscriber]]:
    (tmp_path / "broker").mkdir()
    made = Broker(tmp_path / "broker", ("allow_anonymous true", getattr(request, "param", "max_packet_size 2000")))
    heard = Subscriber(made.port)
    yield made, heard
    heard.close()
    made.kill()


def opened(port: int, tmp_path: Path) -> MqttSink:
    return mqtt.open_events(f"mqtt://127.0.0.1:{port}/site/hall?spool={tmp_path / 'spool'}")


def test_a_message_that_is_too_large_does_not_keep_the_others_waiting(
    limited: Tuple[Broker, Subscriber], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker, heard = limited
    sink = opened(broker.port, tmp_path)
    sink.take(event(0, "counts", data={"in_view": {"car": 1}}))
    for number in range(1, 61):
        sink.take(event(number, data=LARGE if number in (2, 30, 31) else {"label": "car"}))
    until(lambda: sink.summary()["waiting"] == 0, 60)
    assert sink.summary()["sent"] == 57 and sink.summary()["refused"] == sink.summary()["lost"] == 3
    sink.close()
    until(lambda: len({said["number"] for said in heard.events()}) == 57)
    first = list(dict.fromkeys(said["number"] for said in heard.events()))
    assert first == [number for number in range(1, 61) if number not in (2, 30, 31)], "lost, or out of order"
    said = [record.getMessage() for record in caplog.records if "set aside" in record.getMessage()]
    assert len(said) == 3 and f"ended the connection {TIMES} times at a message of 5" in said[0]
    assert "site/hall/events/gate/new" in said[0]


@pytest.mark.parametrize("limited", ["message_size_limit 2000"], indirect=True)
def test_a_broker_that_drops_what_is_too_large(limited: Tuple[Broker, Subscriber], tmp_path: Path) -> None:
    broker, heard = limited
    sink = opened(broker.port, tmp_path)
    for number in range(1, 31):
        sink.take(event(number, data=LARGE if number == 2 else {"label": "car"}))
    until(lambda: sink.summary()["waiting"] == 0, 60)
    sink.close()
    until(lambda: len({said["number"] for said in heard.events()}) == 29)
    assert sink.summary()["sent"] + sink.summary().get("refused", 0) == 30


def test_a_state_that_is_too_large_does_not_keep_events_waiting(
    limited: Tuple[Broker, Subscriber], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker, heard = limited
    sink = opened(broker.port, tmp_path)
    sink.take(event(1, "counts", data=LARGE))
    for number in range(2, 12):
        sink.take(event(number))
        sink.take(event(0, "counts", data=LARGE))
    until(lambda: sink.summary()["waiting"] == 0, 60)
    sink.take(event(1, "counts", data=LARGE))
    sink.take(event(12))
    until(lambda: sink.summary()["waiting"] == 0, 60)
    sink.close()
    until(lambda: len({said["number"] for said in heard.events()}) == 11)
    assert sink.summary()["lost"] == 0 and "refused" not in sink.summary()
    assert caplog.text.count("set aside") == 1 and "site/hall/sources/gate/counts" in caplog.text


class Doorkeeper:
    """Stands before a broker. It ends a connection at each event, and is away for one connection then."""

    def __init__(self, port: int) -> None:
        self._broker, self.port, self.cuts, self.lets = port, free_port(), 0, False
        self._listening = socket.create_server(("127.0.0.1", self.port), backlog=1)
        self._over = False
        threading.Thread(target=self._work, daemon=True).start()

    def close(self) -> None:
        self._over = True
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)

    def _work(self) -> None:
        with contextlib.suppress(OSError):
            while not self._over:
                ours = self._listening.accept()[0]
                if self.cuts and not self.lets:
                    ours.close()  # as a broker that is killed, or begins
                    ours = self._listening.accept()[0]
                theirs = socket.create_connection(("127.0.0.1", self._broker))
                back = threading.Thread(target=self._back, args=(theirs, ours), daemon=True)
                back.start()
                self._forth(ours, theirs)
                back.join(10)

    def _forth(self, ours: socket.socket, theirs: socket.socket) -> None:
        with ours, theirs, contextlib.suppress(OSError):
            for piece in iter(lambda: ours.recv(65536), b""):
                if b"/events/" in piece and not self.lets:
                    self.cuts += 1
                    break
                theirs.sendall(piece)
            for end in (ours, theirs):
                end.shutdown(socket.SHUT_RDWR)

    def _back(self, theirs: socket.socket, ours: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for piece in iter(lambda: theirs.recv(65536), b""):
                ours.sendall(piece)


def test_a_broker_that_dies_at_the_same_message_many_times_loses_none(tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "broker").mkdir()
    broker = Broker(tmp_path / "broker")
    heard, door = Subscriber(broker.port), Doorkeeper(broker.port)
    sink = opened(door.port, tmp_path)
    sink.take(event(1))
    until(lambda: door.cuts > 2 * TIMES, 60)
    door.lets = True
    until(lambda: sink.summary()["waiting"] == 0, 60)
    sink.close()
    until(lambda: heard.events())
    assert sink.summary()["sent"] == 1 and sink.summary()["lost"] == 0 and "set aside" not in caplog.text
    heard.close()
    door.close()
    broker.kill()


def test_whatever_paho_raises_the_thread_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broker").mkdir()
    broker = Broker(tmp_path / "broker")
    failures: List[int] = []
    fill = _link._Session._fill

    def failing(session: Any) -> None:
        if len(failures) < 3:
            failures.append(1)
            raise RuntimeError("a fault of the library")
        fill(session)

    monkeypatch.setattr(_link._Session, "_fill", failing)
    sink = opened(broker.port, tmp_path)
    sink.take(event(1))
    until(lambda: sink.summary()["sent"] == 1)
    assert len(failures) == 3 and sink.summary()["waiting"] == 0
    sink.close()
    broker.kill()
