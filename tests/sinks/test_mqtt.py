"""Against a real Mosquitto: killed and started again, and away when the program starts."""

from __future__ import annotations

import gc
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.sinks import mqtt
from edge_runtime.sinks._topics import paired
from edge_runtime.sinks.mqtt import MqttSink
from edge_runtime.text import secrets
from tests.sinks.brokers import MOSQUITTO, Broker, Subscriber, broker, event, free_port, heard, until
from tests.sources.tls import certificate
from tests.text.nasty import NASTY

pytest.importorskip("paho.mqtt.client")
__all__ = ["broker", "heard"]
JPEG = b"\xff\xd8\x00picture"
CHILD = """
import sys, time
from edge_runtime.sinks import mqtt
from edge_runtime.sinks._topics import paired
from tests.sinks.brokers import event
sink = mqtt.open_events(sys.argv[1])
for number in range(1, 101):
    sink.take(event(number))
if sys.argv[2] == "stay":
    while sink.summary()["waiting"]:
        time.sleep(0.01)
print("taken", flush=True)
time.sleep(60)
"""


def opened(port: int, tmp_path: Path, more: str = "") -> MqttSink:
    return mqtt.open_events(f"mqtt://127.0.0.1:{port}/site/hall?spool={tmp_path / 'spool'}{more}")


def killed_child(port: int, tmp_path: Path, what: str) -> None:
    command = [sys.executable, "-c", CHILD, f"mqtt://127.0.0.1:{port}/site/hall?spool={tmp_path / 'spool'}", what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as child:
        assert child.stdout is not None and child.stdout.readline() == "taken\n"
        child.send_signal(signal.SIGKILL)


def test_no_event_is_lost_while_the_broker_is_killed_three_times(
    broker: Broker, heard: Subscriber, tmp_path: Path
) -> None:
    broker.save()
    sink, number = opened(broker.port, tmp_path), 0
    for _ in range(3):
        for part in range(2):
            for _ in range(100):
                number += 1
                sink.take(event(number))
                time.sleep(0.001)
            if part == 0:
                broker.kill()
        before = heard.subscribed
        broker.start()
        until(lambda before=before: heard.subscribed > before)  # type: ignore[misc]
    until(lambda: sink.summary()["waiting"] == 0)
    sink.close()
    until(lambda: len({said["number"] for said in heard.events()}) == number)
    said = heard.events()
    first = list(dict.fromkeys((one["run"], one["number"]) for one in said))
    assert first == [("run1", each) for each in range(1, number + 1)], "lost, or out of order"
    by_number = {one["number"]: one for one in said}
    assert all(one == by_number[one["number"]] for one in said), "a repetition is another event"
    assert sink.summary() == {"state": "closed", "sent": number, "waiting": 0, "lost": 0, "torn": 0}


def test_a_restart_sends_what_a_full_spool_kept_and_says_what_it_dropped(
    broker: Broker, heard: Subscriber, tmp_path: Path
) -> None:
    away, data = opened(free_port(), tmp_path, "&spool_mb=1"), {"label": "x" * 5000}
    for number in range(1, 401):
        away.take(event(number, data=data))
    told = away.summary()
    away.close()
    assert told["lost"] > 0 and told["waiting"] + told["lost"] == 400 and "refused" in told["trouble"].lower()
    sink = opened(broker.port, tmp_path, "&spool_mb=1")
    sink.take(event(401))
    sink.close()
    until(lambda: heard.events() and heard.events()[-1]["number"] == 401)
    said = heard.events()
    assert [one["number"] for one in said] == list(range(told["lost"] + 1, 402)), "the oldest are dropped"
    assert [one["sequence"] for one in said] == list(range(told["lost"], 401))


def test_a_killed_program_is_offline_and_its_events_come_later(
    broker: Broker, heard: Subscriber, tmp_path: Path
) -> None:
    killed_child(broker.port, tmp_path, "stay")
    until(lambda: heard.last("site/hall/availability") == b"offline")
    assert (b"online") in [payload for topic, payload, _ in heard.messages if topic == "site/hall/availability"]
    killed_child(free_port(), tmp_path / "other", "leave")
    sink = opened(broker.port, tmp_path / "other")
    sink.close()
    until(lambda: len(heard.events()) >= 200)
    assert [one["number"] for one in heard.events()][-100:] == list(range(1, 101))


def test_states_and_pictures_are_retained(broker: Broker, tmp_path: Path) -> None:
    sink = opened(broker.port, tmp_path)
    sink.take(event(1, picture=JPEG))
    sink.take(event(2, "counts", data={"in_view": {"car": 1}, "objects": {"car": 4}}))
    sink.take(event(3, "source", data={"state": "live"}))
    sink.take(event(4, "status", source="", data={"fps": 25.0, "power_w": 7.5}))
    sink.close()
    late = Subscriber(broker.port)
    until(lambda: len(late.messages) >= 6)
    late.close()
    kept = {topic: payload for topic, payload, retained in late.messages if retained}
    front = "site/hall/sources/gate"
    assert kept[f"{front}/picture"] == JPEG and kept["site/hall/availability"] == b"offline"
    assert json.loads(kept[f"{front}/counts"])["objects"] == {"car": 4}
    assert json.loads(kept[f"{front}/state"])["state"] == "live"
    assert json.loads(kept["site/hall/status"])["fps"] == 25.0


def test_home_assistant_is_told_again_when_it_starts(broker: Broker, heard: Subscriber, tmp_path: Path) -> None:
    sink = opened(broker.port, tmp_path)
    sink.take(event(1, "source", data={"state": "live"}))
    topic = "homeassistant/device/edge_site_hall-{}/config"
    name = next(iter(topic for topic in [sink._discovery.topic if sink._discovery else ""]))
    assert re.fullmatch(topic.format("[0-9a-f]{8}"), name)
    until(lambda: heard.last(name))
    heard.messages.clear()
    heard.publish("homeassistant/status", b"online")
    until(lambda: heard.last(name))
    sink.close()
    without = opened(broker.port, tmp_path, "&discovery=")
    heard.messages.clear()
    without.take(event(2, "source", data={"state": "live"}))
    without.close()
    until(lambda: heard.last("site/hall/sources/gate/state"))
    assert not [topic for topic, _, _ in heard.messages if topic.startswith("homeassistant/")]


def test_home_assistant_is_told_what_an_earlier_run_had(broker: Broker, heard: Subscriber, tmp_path: Path) -> None:
    """By the message that the broker has, also after a kill; also if our own message goes out at once."""
    first, second = opened(broker.port, tmp_path / "first"), opened(free_port(), tmp_path / "none")
    topic = second._discovery.topic if second._discovery else ""
    second.close()
    first.take(event(1, "source", "gate", data={"state": "live"}))
    until(lambda: heard.last(topic))
    first.close()
    second = opened(broker.port, tmp_path / "second")
    number = itertools.count(1)

    def told() -> bool:
        second.take(event(next(number), "source", "yard", data={"state": "live"}))
        second.take(event(next(number), "status", "", data={"fps": 5.0, "dropped": {"yard": 0}}))
        time.sleep(0.05)
        return "gate/connection" in json.loads(heard.last(topic))["components"]

    until(lambda: told() and "yard/connection" in json.loads(heard.last(topic))["components"])
    second.close()
    components = json.loads(heard.last(topic))["components"]
    assert components["gate/connection"] == {"platform": "binary_sensor"}
    assert components["yard/connection"]["name"] == "yard connection"


def test_the_last_state_is_sent_before_the_end(broker: Broker, heard: Subscriber, tmp_path: Path) -> None:
    """Only the newest one waits, and not in the spool."""
    for number in range(1, 6):
        sink = opened(broker.port, tmp_path)
        until(lambda sink=sink: sink.summary()["state"] == "connected")  # type: ignore[misc]
        sink.take(event(number, "status", source="", data={"frames": number}))
        sink.close()
        until(lambda: heard.last("site/hall/status"))
        assert json.loads(heard.last("site/hall/status"))["frames"] == number
        heard.messages.clear()


def test_hostile_names_stay_one_level(broker: Broker, heard: Subscriber, tmp_path: Path) -> None:
    names = [*NASTY, "a/b", "+", "#", "$SYS", "x" * 2000]
    sink = opened(broker.port, tmp_path)
    for number, name in enumerate(names, 1):
        sink.take(event(number, source=name, data={"label": name}))
    sink.close()
    until(lambda: len(heard.events()) >= len(names))
    assert [one["source"] for one in heard.events()] == [paired(name) for name in names]
    topics = [topic for topic, _, _ in heard.messages if "/events/" in topic]
    assert len(set(topics)) == len(names) and all(topic.count("/") == 4 and len(topic) < 100 for topic in topics)


def test_a_password_stands_in_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_opened", set())
    if MOSQUITTO is None:
        pytest.skip("no mosquitto here")
    users = tmp_path / "users"
    users.write_text("", encoding="utf-8")
    subprocess.run(["mosquitto_passwd", "-b", str(users), "cam", "pa55word"], check=True)
    (tmp_path / "broker").mkdir()
    made = Broker(tmp_path / "broker", ("allow_anonymous false", f"password_file {users}"))
    try:
        for secret, state in (("pa55word", "connected"), ("wr0ngword", "lost")):
            (tmp_path / "secret").write_text(f"{secret}\n", encoding="utf-8")
            target = f"mqtt://cam@127.0.0.1:{made.port}/a?spool={tmp_path}/{state}&password=@{tmp_path}/secret"
            sink = mqtt.open_events(target)
            until(lambda sink=sink, state=state: sink.summary()["state"] == state)  # type: ignore[misc]
            said: Any = (sink.target, sink.summary())
            sink.close()
            assert secret not in str(said) and "cam" not in sink.target
    finally:
        made.kill()


def test_descriptors_are_closed_at_the_end(tmp_path: Path) -> None:
    def taken() -> int:
        return len(os.listdir("/proc/self/fd"))

    opened(free_port(), tmp_path).close()
    gc.collect()  # what earlier tests have left
    before = taken()
    for _ in range(3):
        sink = opened(free_port(), tmp_path)
        sink.close()
        sink._link.wake()
        assert sink.summary()["state"] == "closed"
    assert taken() <= before


def test_a_certificate_that_is_away_for_a_while_ends_nothing(tmp_path: Path) -> None:
    own, away = certificate(tmp_path, "-addext", "subjectAltName=IP:127.0.0.1"), tmp_path / "away.crt"
    (tmp_path / "broker").mkdir()
    made = Broker(tmp_path / "broker", ("allow_anonymous true", f"certfile {own}", f"keyfile {own}"))
    trusted = Path(f"{own}.crt")
    sink = mqtt.open_events(f"mqtts://127.0.0.1:{made.port}/a?spool={tmp_path}/spool&ca={trusted}")
    try:
        until(lambda: sink.summary()["state"] == "connected")
        trusted.rename(away)
        made.kill()
        until(lambda: "certificates" in sink.summary().get("trouble", ""))
        sink.take(event(1))
        away.rename(trusted)
        made.start()
        until(lambda: sink.summary()["sent"] == 1)
    finally:
        sink.close()
        made.kill()


@pytest.mark.parametrize(
    "target, said",
    [
        ("mqtt://:1/x", "names no host"), ("mqtt://a/+", "cannot begin"), ("mqtt://a/b//c", "cannot begin"),
        ("mqtt://a/b?spol=x", "unknown 'spol'"), ("mqtt://a:x/b", "no address"),
        ("mqtt://a/b?password=pa55word", "written out"), ("mqtts://a/b?ca=/nowhere", "certificates"),
        ("mqtt://a/b?spool_mb=many", "spool_mb"), ("mqtt://a/b?discovery=%23", "cannot begin"),
    ],
)  # fmt: skip
def test_an_address_that_makes_no_sense_is_said_at_once(target: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        mqtt.open_events(target)
    assert caught.value.hint and "pa55word" not in f"{caught.value!r} {caught.value.hint}"
    assert said != "written out" or "@FILE or env:NAME" in caught.value.hint  # what hides passwords hid this, too
