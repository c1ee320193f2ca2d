"""The page in a real browser, without an error in its console."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator, List

import pytest

pytest.importorskip("h11")
from edge_runtime import sinks
from edge_runtime.sinks import SinkOptions
from edge_runtime.track.places import Line, Zone
from tests.sinks.results import result
from tests.sinks.web.browser import Browser, started
from tests.sinks.web.client import TOKEN, event, page, until

HOSTILE = "<img src=x onerror=\"document.title='broken into'\">"
PIXELS = (
    "((canvas) => canvas && Array.from(canvas.getContext('2d').getImageData(0, 0, 8, 8).data).join())"
    "(document.querySelector('.stream canvas'))"
)
CHART = "document.querySelector('[data-key=fps] canvas').toDataURL()"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with started(tmp_path_factory.mktemp("browser")) as found:
        found.view(1280, 900)
        yield found


@contextmanager
def moving(sink: Any) -> Iterator[Callable[[], None]]:
    """Frames and figures, until the end. It gives a function that ends them early."""
    over = threading.Event()

    def work() -> None:
        number = 1000
        while not over.is_set():
            number += 1
            sink.write(result(number, 90, 160))
            figures = {"fps": 20.0 + number % 7, "power_w": 7.25, "latency_ms": {"p50": 9.0, "p95": 12.0}}
            sink.take(event("status", number, source="", data=figures))
            time.sleep(0.05)

    thread = threading.Thread(target=work)
    thread.start()

    def stop() -> None:
        over.set()
        thread.join()

    try:
        yield stop
    finally:
        stop()


def test_pictures_move_and_charts_go_on(browser: Browser) -> None:
    with page() as sink, moving(sink), browser.visit(sink.url):
        for what in (PIXELS, CHART):
            first = browser.until(what)
            browser.until(f"{what} !== {first!r}")
        assert browser.run("return document.querySelector('[data-key=power_w] p').textContent") == "7.25 W"
        assert browser.run("return document.querySelector('[data-key=temperature_c] p').textContent") == "n/a"
        assert browser.run("return document.getElementById('link')?.textContent") == "live"


def test_hostile_names_are_text(browser: Browser) -> None:
    with page() as sink:
        sink.write(result(source=HOSTILE))
        sink.take(event("source", 1, source=HOSTILE, data={"state": HOSTILE}))
        sink.take(event("counts", 2, source=HOSTILE, data={"in_view": {HOSTILE: 3}, "lines": {HOSTILE: {"in": 1}}}))
        with browser.visit(sink.url):
            browser.until("document.querySelectorAll('.stream').length === 2")
            sink.take(event("new", 3, "run-1", source=HOSTILE, data={"label": HOSTILE, "tracker_id": HOSTILE}))
            text = browser.until("document.querySelector('.event') && document.body.innerText")
            assert text.count(HOSTILE) >= 5 and browser.run("return document.title") == "edge-runtime"
            assert browser.run("return document.querySelectorAll('.stream img, .event img').length") == 0


def test_a_picture_of_an_event(browser: Browser) -> None:
    import cv2

    jpeg = cv2.imencode(".jpg", result(0, 30, 40).frame.image)[1].tobytes()
    with page() as sink, browser.visit(sink.url):
        browser.until("document.getElementById('link')?.textContent === 'live'")
        sink.take(event("new", 1, "run-1", data={"label": "cat", "tracker_id": 4}, picture=jpeg))
        browser.until("document.querySelector('.event img')?.naturalWidth === 40")
        sink.take(event("new", 2, "run-2", data={"label": "dog"}))
        browser.until("document.querySelectorAll('.event .blank').length === 1")
        sink.take(event("update", 3, "run-2", picture=jpeg))
        browser.until("document.querySelectorAll('.event img').length === 2")
        assert "cat #4 appeared" in browser.run("return document.querySelectorAll('.event')[1].innerText")


def test_a_zone_and_a_line_are_drawn_and_saved(browser: Browser) -> None:
    """By the mouse, by a finger and by the keyboard."""
    saved: List[Any] = []
    with page(save=lambda *given: saved.append(given)) as sink, moving(sink), browser.visit(sink.url):
        browser.until(PIXELS)
        browser.click(".stream button")
        browser.until("document.getElementById('editor-picture')?.width === 160")
        browser.click("#add-zone")
        browser.press("#surface", [[0.25, 0.25], [0.75, 0.25]])
        browser.press("#surface", [[0.75, 0.75]], "touch")
        browser.click("#finish")
        browser.click("#add-line")
        browser.type("#surface", "\ue006" + "\ue015" * 20 + "\ue006")  # Enter, 20 times down, Enter
        browser.run("const name = document.querySelector('#places input'); name.value = ''; name.focus()")
        browser.type("#places input", "yard")
        browser.click("#save")
        browser.until("document.getElementById('editor-said').textContent === 'Saved.'")
    ((name, (line,), (zone,)),) = saved
    assert name == "cam" and line == Line("line 1", ((0.5, 0.5), (0.5, 0.7))) and zone.name == "yard"
    for point, wanted in zip(zone.points, [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75)]):
        assert point == pytest.approx(wanted, abs=0.01)
    assert isinstance(zone, Zone)


def test_without_a_configuration_the_text_can_be_copied(browser: Browser) -> None:
    with page() as sink, browser.visit(sink.url):
        browser.until("document.querySelector('.stream button')")
        browser.click(".stream button")
        browser.click("#add-line")
        browser.press("#surface", [[0.5, 0.1], [0.5, 0.9]])
        browser.click("#save")
        browser.until("document.getElementById('toml').value.includes('[[stream.lines]]')")
        assert "--line 'line 1=0.5," in browser.run("return document.getElementById('flags').value")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(browser: Browser, width: int, scheme: str) -> None:
    browser.view(width, 844, scheme)
    with page() as sink, moving(sink):
        sink.take(event("new", 1, "run-1", data={"label": "x" * 200}, source="y" * 200))
        sink.write(result(source="rtsp://" + "z" * 200))
        with browser.visit(sink.url):
            browser.until(PIXELS)
            assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
            ground = browser.run("return getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(244, 245, 247)", "dark": "rgb(16, 19, 23)"}[scheme]


def test_logs_in_and_comes_back_after_a_restart(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page asks for the token again, because the session ended with the server."""
    monkeypatch.setenv("PAGE_TOKEN", TOKEN)
    with page("?token=env:PAGE_TOKEN") as sink:
        port = sink.url.rstrip("/").rpartition(":")[2]
        browser.open(sink.url)
        browser.type("#token", "wrong-token\ue006")
        browser.until("document.querySelector('.said')?.textContent === 'This is not the token.'")
        browser.type("#token", f"{TOKEN}\ue006")
        browser.until("document.getElementById('link')?.textContent === 'live'")
        assert browser.run("return document.cookie") == "" and TOKEN not in browser.run("return location.href")
    browser.until("document.getElementById('link')?.textContent === 'no connection'")
    again = sinks.open(f"http://127.0.0.1:{port}?token=env:PAGE_TOKEN", SinkOptions())
    try:
        until(lambda: browser.run("return !!document.getElementById('token')"), "it asks for the token")
        browser.open("about:blank")
        browser.errors()  # the server was away, and the browser says so
    finally:
        again.close()
