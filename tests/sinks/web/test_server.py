"""The server, asked by real sockets: well and badly."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from typing import Any, Iterator
from urllib.parse import urlsplit

import pytest

pytest.importorskip("h11")
from edge_runtime.sinks._web import connection, server
from tests.sinks.web.client import TOKEN, ask, ask_json, connect, event, page, parse, raw, until, until_end


@pytest.fixture
def opened() -> Iterator[Any]:
    with page() as sink:
        yield sink


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A page that needs the token."""
    monkeypatch.setenv("PAGE_TOKEN", TOKEN)
    with page("?token=env:PAGE_TOKEN") as sink:
        yield sink


def test_one_file_and_a_policy_that_allows_nothing_else(opened: Any) -> None:
    status, headers, body = ask(opened, "GET", "/")
    assert status == 200 and body.startswith(b"<!doctype html>") and len(body) == int(headers["content-length"])
    assert b"http://" not in body.replace(b"http://www.w3.org/2000/svg", b"") and b"https://" not in body
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in headers
    assert ask(opened, "HEAD", "/")[2] == b""


def test_what_it_knows(opened: Any) -> None:
    opened.take(event("status", 1, data={"fps": 30.0, "power_w": float("nan")}))
    opened.take(event("new", 2, "run-1", data={"label": "<b>"}, picture=b"\xff\xd8jpeg"))
    state = ask_json(opened, "/state.json")
    assert state["status"] == {"fps": 30.0, "power_w": None} and state["events"][0]["label"] == "<b>"
    assert [stream["name"] for stream in state["streams"]] == ["cam"] and state["login"] is False
    status, headers, body = ask(opened, "GET", "/picture/run-1.jpg")
    assert (status, body, headers["content-type"]) == (200, b"\xff\xd8jpeg", "image/jpeg")


PATHS = [
    "/picture/../../etc/passwd.jpg",
    "/picture/..%2f..%2fetc%2fpasswd.jpg",
    "/stream/%2e%2e/x.mjpeg",
    "//etc/passwd",
    "/picture/.jpg",
    "/stream/.mjpeg",
    "/page.html",
    "/%00",
    "/picture/run-1",
    "/favicon.ico",
]


@pytest.mark.parametrize("path", PATHS)
def test_there_is_nothing_else(opened: Any, path: str) -> None:
    status, _, body = ask(opened, "GET", path)
    assert status == 404 and b"root:" not in body and b"html" not in body


def test_a_request_for_another_name_or_from_another_page(opened: Any) -> None:
    assert ask(opened, "GET", "/state.json", {"Host": "evil.example"})[0] == 421
    assert ask(opened, "PUT", "/zones", {"Origin": "http://evil.example"}, b"{}")[0] == 403
    assert ask(opened, "POST", "/login", {"Origin": "null"}, b"token=x")[0] == 403
    assert ask(opened, "GET", "/stream/cam.mjpeg", {"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert ask(opened, "OPTIONS", "/zones", {"Origin": "http://evil.example"})[0] == 403
    assert ask(opened, "DELETE", "/zones")[0] == 405


BAD = {
    b"GET / HTTP/1.1\r\n\r\n": 400, b"nonsense\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n": 400,
    b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx": 400,
    b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": 400,
    b"GET http://[ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n": 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03": 400,
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * (1 << 17) + b"\r\n\r\n": 431,
    b"PUT /zones HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999\r\n\r\n" + b"x" * 999999: 413,
}  # fmt: skip


@pytest.mark.parametrize("data", BAD, ids=lambda data: repr(data[:40]))
def test_what_is_no_request_is_refused_and_the_page_goes_on(opened: Any, data: bytes) -> None:
    assert parse(raw(opened, data))[0] == BAD[data]
    assert ask(opened, "GET", "/")[0] == 200


def test_several_requests_over_one_connection(opened: Any) -> None:
    host = urlsplit(opened.url).netloc.encode()
    one = b"GET /zones HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    assert raw(opened, one * 3).count(b"HTTP/1.1 200 ") == 3


def test_a_slow_client_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 0.2)
    with page() as sink:
        for half in (
            b"",
            b"GET / HTTP/1.1\r\nHost:",
            b"PUT /zones HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nx",
        ):
            with connect(sink) as slow:
                slow.sendall(half)
                assert until_end(slow) == b""
        until(lambda: sink.summary()["connections"] == 0, "all connections ended")


def test_connections_are_bounded(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_OF_ONE", 5)
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connect(opened))
        until(lambda: opened.summary()["connections"] == 5, "five connections")
        status, headers, _ = ask(opened, "GET", "/")
        assert status == 503 and headers["retry-after"]
    until(lambda: opened.summary()["connections"] == 0, "none is left")
    assert ask(opened, "GET", "/")[0] == 200


def test_of_very_many_connections_the_last_get_no_answer(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST", 2)
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(connect(opened))
        until(lambda: opened.summary()["connections"] == 2, "two are left of the four, which got 503")
    until(lambda: opened.summary()["connections"] == 0, "none is left")
    monkeypatch.setattr(server, "MOST", 0)
    assert raw(opened, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") == b""


def test_a_defect_is_logged_and_the_page_goes_on(
    opened: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(opened._state, "snapshot", lambda: 1 / 0)
        assert raw(opened, b"GET /state.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") == b""
    assert "ZeroDivisionError" in caplog.text and ask(opened, "GET", "/")[0] == 200


def test_nothing_is_shown_without_the_token(closed: Any) -> None:
    status, headers, body = ask(closed, "GET", "/")
    assert status == 401 and b'name="token"' in body and b"<script" not in body and "script-src" not in headers
    for path in ("/state.json", "/zones", "/events", "/pictures", "/stream/cam.mjpeg", "/picture/x.jpg"):
        status, _, body = ask(closed, "GET", path)
        assert status == 401 and b"cam" not in body and TOKEN.encode() not in body, path
    assert ask(closed, "PUT", "/zones", {"Content-Type": "application/json"}, b"{}")[0] == 401
    assert ask(closed, "GET", f"/state.json?token={TOKEN}")[0] == 401, "no secret in an address"


def test_log_in_and_out(closed: Any) -> None:
    own = {"Origin": closed.url.rstrip("/")}
    status, _, body = ask(closed, "POST", "/login", own, b"token=wrong")
    assert status == 401 and b"not the token" in body
    status, headers, _ = ask(closed, "POST", "/login", own, f"token={TOKEN}".encode())
    assert (status, headers["location"]) == (303, "/") and TOKEN not in headers["set-cookie"]
    session = {"Cookie": headers["set-cookie"].partition(";")[0], **own}
    assert ask(closed, "GET", "/state.json", session)[0] == 200
    assert ask(closed, "POST", "/logout", session)[0] == 303
    assert ask(closed, "GET", "/state.json", session)[0] == 401
    assert ask(closed, "GET", "/state.json", {"Authorization": f"Bearer {TOKEN}"})[0] == 200


def test_tokens_cannot_be_tried(closed: Any) -> None:
    for _ in range(5):
        ask(closed, "POST", "/login", {}, b"token=wrong")
    status, headers, body = ask(closed, "POST", "/login", {}, f"token={TOKEN}".encode())
    assert status == 429 and 0 < int(headers["retry-after"]) <= 60 and b"Too many" in body
    assert ask(closed, "GET", "/state.json", {"Authorization": f"Bearer {TOKEN}"})[0] == 429


def test_its_thread_ends_with_it_whatever_is_open() -> None:
    before = threading.active_count()
    with page() as sink:
        idle = connect(sink)
        until(lambda: sink.summary()["connections"], "a connection")
    assert until_end(idle) == b"" and threading.active_count() == before
    idle.close()
    sink.close()
    sink.take(event())
    assert json.dumps(sink.summary())
