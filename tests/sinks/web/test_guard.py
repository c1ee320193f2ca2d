"""Who may ask what."""

from __future__ import annotations

from typing import Dict, List

import pytest

pytest.importorskip("h11")
from edge_runtime.sinks._web import guard as guards
from edge_runtime.sinks._web.address import Address
from edge_runtime.sinks._web.guard import FAILURES, WINDOW_S, Guard
from tests.sinks.web.client import TOKEN


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> Guard:
    return Guard(Address("0.0.0.0", 8080, TOKEN, ("cam.example",)), 8080, clock)


def cookie(said: str) -> Dict[str, str]:
    return {"cookie": f"other=1; {said.partition(';')[0]}"}


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080", "192.168.1.7:80", "cam.example:8080"])
def test_numbers_and_own_names_are_known(guard: Guard, host: str) -> None:
    assert guard.knows_host({"host": host})


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1.evil.example:8080", "[", "a:b:c", "cam.example.evil"])
def test_a_name_of_others_is_not(guard: Guard, host: str) -> None:
    assert not guard.knows_host({"host": host})


ELSEWHERE: List[Dict[str, str]] = [
    {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:9"},
    {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:8080"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
]  # fmt: skip


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
def test_what_another_page_sends(guard: Guard, headers: Dict[str, str]) -> None:
    assert guard.is_from_elsewhere("PUT", {"host": "127.0.0.1:8080", **headers})


def test_own_requests_programs_and_links_are_not_from_elsewhere(guard: Guard) -> None:
    host = {"host": "127.0.0.1:8080"}
    assert not guard.is_from_elsewhere("PUT", {**host, "origin": "http://127.0.0.1:8080"})
    assert not guard.is_from_elsewhere("PUT", host)
    assert not guard.is_from_elsewhere("GET", {**host, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
    assert guard.is_from_elsewhere("GET", {**host, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"})


def test_the_token_of_a_program(guard: Guard) -> None:
    assert guard.is_allowed({"authorization": f"Bearer {TOKEN}"}, "a")
    assert guard.is_allowed({"authorization": f"bearer  {TOKEN} "}, "a")
    for wrong in ("", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x"):
        assert not guard.is_allowed({"authorization": wrong}, "a"), wrong
    assert not guard.is_token("é\udcff", "a")


def test_a_session_begins_and_ends(guard: Guard, clock: Clock) -> None:
    said = guard.log_in()
    assert "HttpOnly" in said and "SameSite=Strict" in said and TOKEN not in said
    assert guard.is_allowed(cookie(said), "a")
    guard.log_out(cookie(said))
    assert not guard.is_allowed(cookie(said), "a")
    said = guard.log_in()
    clock.now_s += guards.SESSION_S
    assert not guard.is_allowed(cookie(said), "a")
    assert not guard.is_allowed({"cookie": "edge_page_8080="}, "a")


def test_old_sessions_make_room(guard: Guard) -> None:
    first, *_, last = [guard.log_in() for _ in range(guards.MOST_SESSIONS + 1)]
    assert guard.is_allowed(cookie(last), "a") and not guard.is_allowed(cookie(first), "a")


def test_after_wrong_tokens_the_right_one_must_wait(guard: Guard, clock: Clock) -> None:
    for _ in range(FAILURES):
        assert not guard.is_token("wrong", "a")
    assert not guard.is_token(TOKEN, "a") and 0 < guard.wait_s("a") <= WINDOW_S
    assert guard.is_token(TOKEN, "b"), "another address need not wait"
    clock.now_s = WINDOW_S
    assert guard.is_token(TOKEN, "a")


def test_the_memory_for_failures_is_bounded(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "MOST_ADDRESSES", 3)
    for address in "abcde":
        guard.is_token("wrong", address)
    assert list(guard._failures) == ["c", "d", "e"]


def test_without_a_token_everybody_may_read() -> None:
    assert Guard(Address("127.0.0.1", 0), 1).is_allowed({}, "a")
