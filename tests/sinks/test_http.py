"""The page as an output: its address, and what is refused."""

from __future__ import annotations

import socket
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("h11")
from edge_runtime import sinks
from edge_runtime.errors import BackendUnavailable, SinkError, UsageError
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.sinks import http
from edge_runtime.sinks._web.address import Address, parse
from edge_runtime.sinks._web.listening import LOCAL
from tests.loop.parts import Numbers, open_detector
from tests.sinks.web.client import TOKEN, ask_json


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PAGE_TOKEN", TOKEN)
    (tmp_path / "token").write_text(f"{TOKEN}\nmore\n", encoding="utf-8")
    assert parse("http://127.0.0.1") == Address("127.0.0.1", 8080)
    assert parse("HTTP://localhost:0/?fps=2.5&width=640") == Address("localhost", 0, "", (), 2.5, 640)
    assert parse("http://[::]:9?token=env:PAGE_TOKEN&name=Cam,cam.lan") == Address("::", 9, TOKEN, ("cam", "cam.lan"))
    assert parse(f"http://0.0.0.0:8080?token=@{tmp_path}/token") == Address("0.0.0.0", 8080, TOKEN)


WRONG = {
    "http://0.0.0.0:8080": "needs a token", "http://board.lan:8080": "needs a token", "http://:8080": "nothing else",
    f"http://127.0.0.1?token={TOKEN}": "written out", "http://127.0.0.1?token=env:SHORT": "too short",
    "http://127.0.0.1?token=env:ABSENT": "no token in the variable ABSENT", "http://127.0.0.1:99999": "no port",
    "http://127.0.0.1:x": "no port", "http://127.0.0.1/cam": "nothing else", "http://me:pw@127.0.0.1": "nothing else",
    "http://127.0.0.1?fsp=3": "fsp", "http://127.0.0.1?fps=fast": "fps", "http://127.0.0.1?width=0": "width",
    "http://[::1": "no port",
}  # fmt: skip


@pytest.mark.parametrize("target", WRONG)
def test_what_is_no_address_of_a_page(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT", "tiny-1")
    with pytest.raises(UsageError, match=WRONG[target]) as caught:
        parse(target)
    assert caught.value.hint and TOKEN not in f"{caught.value} {caught.value.hint}"


def test_an_address_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SinkError, match=f"127.0.0.1:{port}: Address already in use"):
            sinks.open(f"http://127.0.0.1:{port}")
    with pytest.raises(SinkError, match="cannot be served"):
        sinks.open("http://127.255.255.256:0?token=@" + __file__)


def test_localhost_is_each_of_its_addresses() -> None:
    """A browser takes one of them, and some never try the other."""
    with closing(sinks.open("http://localhost:0")) as page:
        port = urlsplit(page.url).port
        assert f"http://localhost:{port}/" in sinks.note(page)
        for host in LOCAL if has_ipv6() else LOCAL[:1]:
            with closing(HTTPConnection(host, port, timeout=10)) as asking:
                asking.request("GET", "/state.json", headers={"Host": f"localhost:{port}"})
                assert asking.getresponse().status == 200
    for host in LOCAL if has_ipv6() else LOCAL[:1]:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port), 10)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_localhost_is_refused_if_one_of_its_addresses_is_taken() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        with pytest.raises(SinkError, match=f"localhost:{port}: Address already in use"):
            sinks.open(f"http://localhost:{port}")
    with socket.create_server(("127.0.0.1", port)):  # nothing is left behind
        pass


def test_one_page_shows_all_sources() -> None:
    with pytest.raises(UsageError, match="names no file"):
        sinks.open("http://127.0.0.1:0?name={source}")


def test_without_h11(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "available", lambda: "h11 is not installed: pip install .[page]")
    with pytest.raises(BackendUnavailable, match=r"^h11 is not installed$") as caught:
        sinks.open("http://127.0.0.1:0")
    assert "page" in str(caught.value.hint)


def test_the_note_says_the_address_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGE_TOKEN", TOKEN)
    sink = sinks.open("http://127.0.0.1:0?token=env:PAGE_TOKEN")
    sink.close()
    said = sinks.note(sink)
    assert said.startswith("page: http://127.0.0.1:") and TOKEN not in f"{said} {sink.target}"


def test_a_pipeline_shows_its_streams(tmp_path: Path) -> None:
    """By its names, and after its end the port is free again."""
    with open_detector(tmp_path) as detector:
        sources = [Numbers(5, name="rtsp://cam/1"), Numbers(5, name="../x")]
        with Pipeline(detector, sources, ["http://127.0.0.1:0"]) as pipeline:
            page = pipeline.sinks[0]
            state = ask_json(page, "/state.json")
            assert [(s["source"], s["name"]) for s in state["streams"]] == [("rtsp://cam/1", "cam_1"), ("../x", "x")]
            assert pipeline.run()["frames"] == 10
    with pytest.raises(OSError):
        ask_json(page, "/state.json")
