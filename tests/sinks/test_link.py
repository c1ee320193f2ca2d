"""Brokers that end the connection at what they do not want, in the ways that Mosquitto has not."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, List

import pytest

from edge_runtime.sinks import _link, _suspect, mqtt
from edge_runtime.sinks._suspect import TIMES
from edge_runtime.sinks.mqtt import MqttSink
from tests.sinks.brokers import event, until
from tests.sinks.fake_broker import SUBSCRIBE, FakeBroker

pytest.importorskip("paho.mqtt.client")
FRONT = "site/hall"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_link, "FIRST_S", 0.1)


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    made = FakeBroker()
    yield made
    made.close()


def opened(broker: FakeBroker, tmp_path: Path) -> MqttSink:
    return mqtt.open_events(f"mqtt://127.0.0.1:{broker.port}/{FRONT}?spool={tmp_path / 'spool'}")


def counts(sink: MqttSink, *sources: str) -> List[str]:
    """Gives each a state. Returns their topics."""
    for source in sources:
        sink.take(event(0, "counts", source, data={"in_view": {"car": 1}}))
    return [f"{FRONT}/sources/{source}/counts" for source in sources]


def test_a_broker_that_ends_the_connection_at_a_subscription_loses_no_event(
    broker: FakeBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker.refuses = lambda kind, topic: kind == SUBSCRIBE
    sink = opened(broker, tmp_path)
    for number in range(1, 4):
        sink.take(event(number))
    until(lambda: broker.cuts.get("", 0) > 2 * TIMES)
    until(lambda: "connection" in sink.summary().get("trouble", ""))
    assert sink.summary()["waiting"] == 3 and sink.summary()["lost"] == 0 and "set aside" not in caplog.text
    broker.refuses = lambda kind, topic: False
    until(lambda: sink.summary()["waiting"] == 0)
    sink.close()
    assert sink.summary()["sent"] == 3 and "refused" not in sink.summary()


def test_with_many_states_a_refused_event_does_not_keep_the_others_waiting(broker: FakeBroker, tmp_path: Path) -> None:
    broker.refuses = lambda kind, topic: topic.endswith("/new")
    sink = opened(broker, tmp_path)
    topics = counts(sink, *(f"camera{number}" for number in range(30)))
    sink.take(event(1))
    sink.take(event(2))
    for number in range(3, 33):
        sink.take(event(number, "end"))
    until(lambda: sink.summary()["waiting"] == 0, 60)
    sink.close()
    assert sink.summary()["refused"] == 2 and sink.summary()["sent"] == 30
    assert set(topics) <= set(broker.took)


@pytest.mark.parametrize("many", [2, 3])
def test_several_refused_states_do_not_keep_events_waiting(
    broker: FakeBroker, tmp_path: Path, many: int, caplog: pytest.LogCaptureFixture
) -> None:
    refused = [f"{FRONT}/sources/bad{number}/counts" for number in range(many)]
    broker.refuses = lambda kind, topic: topic in refused
    sink = opened(broker, tmp_path)
    bad = [f"bad{number}" for number in range(many)]
    good = counts(sink, "a", *bad, "z")
    for number in range(1, 11):
        sink.take(event(number))
    until(lambda: sink.summary()["waiting"] == 0, 60)
    sink.close()
    assert caplog.text.count("set aside") == many and all(topic in caplog.text for topic in refused)
    assert sink.summary()["sent"] == 10 and sink.summary()["lost"] == 0
    assert {good[0], good[-1]} <= set(broker.took)
    assert max(broker.cuts.values()) < 2 * TIMES, "one was tried again and again"


def test_the_states_of_a_removed_source_are_not_sent_at_later_connections(broker: FakeBroker, tmp_path: Path) -> None:
    sink = opened(broker, tmp_path)
    for name in ("gate", "yard"):
        sink.take(event(1, "source", name, data={"state": "live"}))
        counts(sink, name)
    sink.take(event(2, "source", "gate", data={"state": "removed"}))
    counts(sink, "gate")  # of its last results
    until(lambda: sink.summary()["waiting"] == 0 and not sink._link.states.due)
    mine = [f"{FRONT}/sources/gate/{what}" for what in ("state", "counts")]
    until(lambda: set(mine) <= set(broker.took))
    before = len(broker.by_connection)
    broker.refuses = lambda kind, topic: topic.endswith("/new") and len(broker.by_connection) == before
    sink.take(event(3))
    until(lambda: sink.summary()["waiting"] == 0)
    assert len(broker.by_connection) == before + 1
    again = broker.by_connection[-1]
    assert f"{FRONT}/sources/yard/state" in again and not set(mine) & set(again)
    sink.take(event(4, "source", "gate", data={"state": "live"}))
    broker.refuses = lambda kind, topic: topic.endswith("/new") and len(broker.by_connection) == before + 1
    sink.take(event(5))
    until(lambda: sink.summary()["waiting"] == 0)
    assert mine[0] in broker.by_connection[-1], "it is back"
    sink.close()


def large(monkeypatch: pytest.MonkeyPatch, broker: FakeBroker, tmp_path: Path) -> MqttSink:
    """A message that needs longer than the limit to be read, before one that does not."""
    monkeypatch.setattr(_link, "CUT_S", 0.2)
    monkeypatch.setattr(_suspect, "TIMES", 2)
    sink = opened(broker, tmp_path)
    sink.take(event(1, data={"label": "x" * 8_000_000}))
    sink.take(event(2, "end"))
    return sink


def test_the_time_of_a_message_counts_from_its_last_byte(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broker = FakeBroker(lambda kind, topic: topic.endswith("/new"), slow_s=0.6)
    sink = large(monkeypatch, broker, tmp_path)
    until(lambda: sink.summary()["waiting"] == 0)
    assert sink.summary()["sent"] == sink.summary()["refused"] == 1
    sink.close()
    broker.close()


def test_a_broker_that_falls_silent_while_a_message_is_sent_counts_against_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_link, "KEEPALIVE_S", 1)
    broker = FakeBroker(lambda kind, topic: topic.endswith("/new"), silent_s=3.0)
    sink = large(monkeypatch, broker, tmp_path)
    until(lambda: broker.cuts.get(f"{FRONT}/events/gate/new", 0) >= 4)
    assert sink.summary()["waiting"] == 2 and "refused" not in sink.summary()
    broker.refuses = lambda kind, topic: False
    until(lambda: sink.summary()["waiting"] == 0)
    assert sink.summary()["sent"] == 2
    sink.close()
    broker.close()
