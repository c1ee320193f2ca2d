"""Events that are posted: all of them, in order, signed, whatever the server does."""

from __future__ import annotations

import hashlib
import hmac
import logging
import resource
import socket
import threading
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from edge_runtime import sinks
from edge_runtime.errors import UsageError
from edge_runtime.sinks import _poster
from edge_runtime.sinks._spool import HELD_BYTES
from edge_runtime.text import secrets
from tests.sinks.brokers import event, free_port, until
from tests.sinks.hooks import Answer, Process, Receiver, saying, writing
from tests.sources.tls import Front, certificate

SECRET = "zq7-winter-oak-5521"
PATH = "/T024BE7LD/q?key=%2Fa%20b&&x=%C3%A4"
Open = Callable[..., Any]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_poster, "FIRST_S", 0.02)
    monkeypatch.setattr(_poster, "LONGEST_S", 0.2)
    monkeypatch.setattr(_poster, "SYNC_S", 0.1)
    monkeypatch.setattr(secrets, "_opened", set())


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    found: List[Any] = []

    def make(port: int, more: str = "", path: str = PATH, scheme: str = "http") -> Any:
        target = f"webhook+{scheme}://127.0.0.1:{port}{path}#spool={tmp_path}/spool{more}"
        found.append(sinks.open_events(target))
        return found[-1]

    yield make
    for sink in found:
        sink.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_a_post_is_signed_and_goes_to_the_address_as_it_is_written(
    opened: Open, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HOOK_LOGIN", "Bearer kx-9981-abc")
    sink = opened(receiver.port, "&secret=env:HOOK_SECRET&authorization=env:HOOK_LOGIN")
    for number, kind in enumerate(("new", "counts", "status", "update", "crossing", "end", "source"), 1):
        sink.take(event(number, kind))
    sink.close()
    assert [(post.event["event"], post.event["sequence"]) for post in receiver.posts] == [
        ("new", 0), ("update", 1), ("crossing", 2), ("end", 3), ("source", 4),
    ]  # fmt: skip
    assert receiver.connections == 1, "one connection for all"
    for post in receiver.posts:
        stamp, signature = post.headers["x-edge-timestamp"], post.headers["x-edge-signature"]
        expected = hmac.new(SECRET.encode(), f"{stamp}.".encode() + post.body, hashlib.sha256).hexdigest()
        assert post.path == PATH and signature == f"sha256={expected}" and abs(time.time() - int(stamp)) < 60
        assert post.headers["idempotency-key"] == f"run1-{post.event['number']}"
        assert post.headers["authorization"] == "Bearer kx-9981-abc"
    assert {**event(1).record(), "sequence": 0} == receiver.posts[0].event
    assert sink.summary() == {"state": "closed", "sent": 5, "waiting": 0, "lost": 0, "refused": 0, "torn": 0}


def test_kinds_and_pictures(opened: Open, receiver: Receiver) -> None:
    sink = opened(receiver.port, "&kinds=counts,new&pictures=yes", "")
    sink.take(event(1, picture=b"\xff\xd8jpeg"))
    sink.take(event(2, "end"))
    sink.take(event(3, "counts"))
    sink.close()
    assert [post.event["event"] for post in receiver.posts] == ["new", "counts"]
    assert receiver.posts[0].event["picture_jpeg"] == "/9hqcGVn" and receiver.posts[0].path == "/"


BAD: List[Answer] = [
    500, 503, 408, 425, 429, saying(302, Location="http://127.0.0.1:1/evil"), saying(307, Location="/other"),
    writing(b"\x00\xffgarbage\r\n\r\n"), writing(b""), writing(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
    writing(b"HTTP/1.1 abc\r\n\r\n"), saying(503, Retry_After="nonsense"), saying(503, Retry_After="-5"),
    saying(503, Retry_After="99999999999999999999 Jan"),
]  # fmt: skip


def test_whatever_a_server_answers_events_come_again_in_order(opened: Open) -> None:
    receiver = Receiver(204, *BAD)
    sink = opened(receiver.port)
    for number in range(1, 4):
        sink.take(event(number))
    until(lambda: sink.summary()["sent"] == 3)
    assert receiver.numbers() == [1, *[2] * len(BAD), 2, 3]
    assert len({post.headers["idempotency-key"] for post in receiver.posts if post.event["number"] == 2}) == 1
    assert {post.path for post in receiver.posts} == {PATH}, "no redirect is followed"
    receiver.close()


def test_what_is_refused_is_counted_and_said_once(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver(400, 400, 413)
    sink = opened(receiver.port)
    with caplog.at_level(logging.WARNING, "edge_runtime"):
        for number in range(1, 5):
            sink.take(event(number))
        until(lambda: sink.summary()["sent"] == 1)
    assert receiver.numbers() == [1, 2, 3, 4]
    assert (sink.summary()["refused"], sink.summary()["lost"], sink.summary()["waiting"]) == (3, 3, 0)
    assert caplog.text.count("event with 400;") == 1 and caplog.text.count("event with 413;") == 1
    assert "T024BE7LD" not in caplog.text
    receiver.close()


def test_what_is_refused_before_it_was_read_is_not_posted_again(opened: Open) -> None:
    def refuse(connection: socket.socket) -> None:
        while b"\r\n\r\n" not in connection.recv(1 << 10):
            pass
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\n\r\n")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: refuse(server.accept()[0]), daemon=True).start()
        sink = opened(server.getsockname()[1], "&pictures=yes")
        sink.take(replace(event(1), picture=bytes(12 << 20)))
        until(lambda: sink.summary()["refused"] == 1)
        assert sink.summary()["waiting"] == 0


@pytest.mark.parametrize("wish", ["1", formatdate(time.time() + 1e9, usegmt=True)], ids=["seconds", "date"])
def test_retry_after_is_respected(opened: Open, wish: str) -> None:
    receiver = Receiver(saying(429, Retry_After=wish))
    sink = opened(receiver.port)
    began_s = time.monotonic()
    sink.take(event(1))
    if wish == "1":
        until(lambda: sink.summary()["sent"] == 1)
        assert time.monotonic() - began_s >= 1.0 and len(receiver.posts) == 2
    else:
        until(lambda: sink.summary()["state"] == "lost")
        time.sleep(0.5)
        assert len(receiver.posts) == 1 and sink.summary()["trouble"] == "the server answers 429"
    sink.close()
    receiver.close()


def test_a_wish_is_bounded() -> None:
    assert _poster._wish_s(formatdate(time.time() + 1e9, usegmt=True)) == _poster.LONGEST_WISH_S
    assert [_poster._wish_s(text) for text in ("", "x", "-1", "Wed, 21 Oct 2015 07:28:00 GMT", "7")] == [0, 0, 0, 0, 7]


def test_a_slow_answer_and_one_without_end(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_poster, "ANSWER_S", 0.4)
    endless = writing(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000, times=1 << 20)
    half = writing(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"x")
    receiver = Receiver(endless, writing(b"H", every_s=0.1, times=1000), half)
    sink = opened(receiver.port)
    for number in range(1, 5):
        sink.take(event(number))
    until(lambda: sink.summary()["sent"] == 4)
    assert receiver.numbers() == [1, 2, 2, 3, 4]
    receiver.close()


def test_a_last_answer_is_not_waited_for(opened: Open) -> None:
    """Nothing could cut it: http.client gives up its socket when a server says that it closes."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5000\r\n\r\n"
    receiver = Receiver(writing(head, b"x", every_s=0.1, times=1000))
    sink = opened(receiver.port)
    sink.take(event(1))
    sink.take(event(2))
    until(lambda: sink.summary()["sent"] == 2)
    sink.close()
    assert sink.summary()["state"] == "closed" and receiver.numbers() == [1, 2]
    receiver.close()


def test_the_end_does_not_wait_for_a_slow_server(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_poster, "CLOSE_S", 0.2)
    receiver = Receiver(writing(b"H", every_s=0.1, times=1000))
    sink = opened(receiver.port)
    sink.take(event(1))
    until(lambda: receiver.posts)
    sink.close()
    assert sink.summary()["state"] == "closed" and sink.summary()["waiting"] == 1
    receiver.close()


def test_no_event_is_lost_while_the_server_is_killed_three_times(opened: Open, tmp_path: Path) -> None:
    server, number = Process(tmp_path), 0
    sink = opened(server.port)
    for _ in range(3):
        for part in range(2):
            for _ in range(40):
                number += 1
                sink.take(event(number))
            if part == 0:
                server.until_started(number - 40)
                server.kill()
        server.start()
    until(lambda: sink.summary()["waiting"] == 0)
    said = [one["number"] for one in server.events()]
    assert list(dict.fromkeys(said)) == list(range(1, number + 1)), "lost, or out of order"
    assert sink.summary()["sent"] == number and sink.summary()["lost"] == 0
    server.kill()


def test_a_restart_posts_what_was_kept(opened: Open, receiver: Receiver) -> None:
    away = opened(free_port())
    for number in range(1, 4):
        away.take(event(number))
    until(lambda: away.summary().get("trouble"))
    away.close()
    assert away.summary()["waiting"] == 3
    sink = opened(receiver.port)
    sink.take(event(4))
    sink.close()
    assert receiver.numbers() == [1, 2, 3, 4] and receiver.posts[3].event["sequence"] == 3


def test_a_full_disk_is_said_and_events_go_on(opened: Open, receiver: Receiver) -> None:
    away = opened(free_port())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        for number in range(1, HELD_BYTES // 5000 + 100):
            away.take(event(number, data={"label": "x" * 5000}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = away.summary()
    assert "takes nothing" in said["trouble"] and said["lost"] > 0 and said["waiting"] > 0


def test_two_queries_of_one_server_have_two_spools_and_two_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    found = [sinks.open_events(f"webhook+http://127.0.0.1:{free_port()}/hook?key={key}") for key in "ab"]
    assert len(list((tmp_path / "edge-runtime/spool").iterdir())) == 2
    assert len({sink.target for sink in found}) == 2 and not any("hook?" in sink.target for sink in found)
    for sink in found:
        sink.close()


def test_tls_is_verified(opened: Open, receiver: Receiver, tmp_path: Path) -> None:
    path = certificate(tmp_path, "-addext", "subjectAltName=IP:127.0.0.1")
    front = Front(receiver.port, path)
    stranger = opened(front.port, scheme="https")
    stranger.take(event(1))
    until(lambda: "certificate" in stranger.summary().get("trouble", "").lower())
    stranger.close()
    assert not receiver.posts
    sink = opened(front.port, f"&ca={path}", scheme="https")
    sink.close()
    assert receiver.numbers() == [1]
    front.stop()


WRONG = [
    "webhook+http://", "webhook+http://:80/x", "webhook+http://h:0/x", "webhook+http://h:x/", "webhook+http://[h/",
    "webhook+http://me:pw-7781@h/x", "webhook+http://h/a b", "webhook+http://h/ä", "webhook+http://h/\x01",
    f"webhook+http://h/#secret={SECRET}", "webhook+http://h/#secret=", "webhook+http://h/#secret=env:ABSENT_ONE",
    "webhook+http://h/#kinds=old", "webhook+http://h/#spol=x", "webhook+https://h/#ca=/nowhere",
    "webhook+http://h/#pictures=maybe", "webhook+http://h/#authorization=env:TWO_LINES",
]  # fmt: skip


@pytest.mark.parametrize("target", WRONG)
def test_an_address_that_makes_no_sense(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWO_LINES", "Bearer 1\r\nX-Evil: 1")
    with pytest.raises(UsageError) as caught:
        sinks.open_events(target)
    said = f"{caught.value} {caught.value.hint}"
    assert caught.value.hint and SECRET not in said and "pw-7781" not in said


def test_its_path_is_shown_nowhere(opened: Open) -> None:
    target = "webhook+https://hooks.example/services/T024BE7LD?key=xyz#secret=env:HOOK_SECRET"
    assert secrets.public(target) == "webhook+https://hooks.example/…"
    assert "T024BE7LD" not in secrets.redact(f"cannot open {target}, nor '/services/T024BE7LD'")
    sink = opened(free_port())
    sink.take(event(1))
    until(lambda: sink.summary().get("trouble"))
    assert "T024BE7LD" not in f"{sink.summary()} {sink.target} {sink._poster._hook}"


def test_without_tls_it_is_said(tmp_path: Path) -> None:
    sink = sinks.open_events(f"webhook+http://192.0.2.1/x#spool={tmp_path}/s")
    sink.close()
    assert "without TLS" in sinks.note(sink)
