"""Fetching from a real server on this machine that answers well and badly."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, List, Tuple

import pytest

from edge_runtime.downloads import fetch
from edge_runtime.errors import DownloadError, UsageError
from tests.downloads.served import CONTENT, WRONG, Handler, cut, entry_for, sent, serving

SIZE = len(CONTENT)
CHILD = """
import os, resource, sys
from pathlib import Path
from edge_runtime.downloads import fetch
from edge_runtime.errors import EdgeError
from tests.downloads.served import entry_for
entry = entry_for()
{before}
try:
    print(fetch.get(entry, Path(sys.argv[1]), [sys.argv[2]]))
except EdgeError as error:
    print(f"{{type(error).__name__}}: {{error}} | {{error.hint}}")
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "n.onnx"


def got(target: Path, *addresses: str, **how: Any) -> Any:
    return fetch.get(entry_for(CONTENT, *addresses), target, **how)


def refusal(target: Path, *addresses: str, **how: Any) -> DownloadError:
    """The error of a fetch that brings nothing; nothing has the file's name afterwards."""
    with pytest.raises(DownloadError) as caught:
        got(target, *addresses, **how)
    assert not target.exists()
    assert f"put it at {target}" in str(caught.value.hint) and addresses[0] in str(caught.value.hint)
    return caught.value


def child(target: Path, address: str, before: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD.format(before=before), str(target), address]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, encoding="utf-8")


def test_the_whole_file(target: Path) -> None:
    told: List[Tuple[float, str]] = []
    with serving(n=sent()) as server:
        assert got(target, server.address("/n"), tell=lambda *done: told.append(done)) == server.address("/n")
        assert got(target, server.address("/n")) is None, "what is here is not fetched again"
        assert server.asked == [("/n", None)]
    assert target.read_bytes() == CONTENT and os.listdir(target.parent) == ["n.onnx"]
    assert [done for done, _ in told] == sorted(done for done, _ in told) and told[-1] == (1.0, "0.3 of 0.3 MB")


def test_the_file_has_the_rights_of_the_umask(target: Path) -> None:
    with serving(n=sent()) as server:
        got(target, server.address("/n"))
    mask = os.umask(0)
    os.umask(mask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_cut_fetch_goes_on_where_it_stopped(target: Path) -> None:
    with serving(n=cut(100_000)) as server:
        for number in (1, 2):
            error = refusal(target, server.address("/n"))
            assert f"ended after {number * 100_000} of {SIZE}" in str(error) or "IncompleteRead" in str(error)
            assert "goes on where it stopped" in str(error.hint)
            assert fetch.part_of(target).stat().st_size == number * 100_000
        got(target, server.address("/n"))
        assert [part for _, part in server.asked] == [None, "bytes=100000-", "bytes=200000-"]
    assert target.read_bytes() == CONTENT and not fetch.part_of(target).exists()


def test_a_killed_fetch_goes_on_where_it_stopped(target: Path) -> None:
    held = threading.Event()

    def slow(handler: Handler) -> None:
        if handler.start:
            sent()(handler)
        else:
            handler.reply(200, CONTENT[:200_000], SIZE)
            handler.wfile.flush()
            held.wait(60)

    with serving(n=slow) as server:
        process = child(target, server.address("/n"))
        wait_for(lambda: fetch.part_of(target).exists() and fetch.part_of(target).stat().st_size >= 100_000)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        held.set()
        have = fetch.part_of(target).stat().st_size
        assert got(target, server.address("/n")) and server.asked[-1] == ("/n", f"bytes={have}-")
    assert target.read_bytes() == CONTENT


def wait_for(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@pytest.mark.parametrize("start", [1, SIZE - 1])
def test_a_server_without_ranges_begins_again(target: Path, start: int) -> None:
    fetch.part_of(target).write_bytes(WRONG[:start])
    with serving(n=lambda handler: handler.reply(200, CONTENT)) as server:
        got(target, server.address("/n"))
        assert server.asked == [("/n", f"bytes={start}-")]
    assert target.read_bytes() == CONTENT


def test_a_refused_range_begins_again(target: Path) -> None:
    fetch.part_of(target).write_bytes(b"a")

    def way(handler: Handler) -> None:
        handler.reply(416) if handler.start else handler.reply(200, CONTENT)

    with serving(n=way) as server:
        got(target, server.address("/n"))
        assert [part for _, part in server.asked] == ["bytes=1-", None]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("left", [CONTENT, CONTENT + b"more"], ids=["complete", "too long"])
def test_what_a_part_holds_decides(target: Path, left: bytes) -> None:
    fetch.part_of(target).write_bytes(left)
    with serving(n=sent()) as server:
        got(target, server.address("/n"))
        assert [part for _, part in server.asked] == ([] if left == CONTENT else [None])
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("before", [0, 1000])
def test_a_wrong_file_is_not_kept(target: Path, before: int) -> None:
    """Also where the beginning that was there is what is wrong: the next fetch begins again."""
    if before:
        fetch.part_of(target).write_bytes(WRONG[:before])
    with serving(n=sent(CONTENT if before else WRONG), good=sent()) as server:
        error = refusal(target, server.address("/n"))
        sums = [word for word in str(error).replace(";", " ").replace(",", " ").split() if len(word) == 64]
        assert len(set(sums)) == 2 and entry_for().sha256 in sums
        assert os.listdir(target.parent) == [] and "goes on" not in str(error.hint)
        got(target, server.address("/good"))
        assert server.asked[-1] == ("/good", None)


BAD = {  # how the server answers, and what the error says
    "404": (lambda handler: handler.reply(404), "404: the file is not there any more"),
    "403": (lambda handler: handler.reply(403), "403: it refuses"),
    "407": (lambda handler: handler.reply(407), "407: the proxy wants a login"),
    "429": (lambda handler: handler.reply(429), "429: too many requests"),
    "500": (lambda handler: handler.reply(500), "500: it fails: try again later"),
    "503": (lambda handler: handler.reply(503), "503: it fails: try again later"),
    "204": (lambda handler: handler.reply(204), "answers 204"),
    "login": (
        lambda handler: handler.reply(200, b"<html>Welcome", Content_Type="text/html"), "web page and not the file"),
    "stated length": (lambda handler: handler.reply(200, b"version https://git-lfs"), "has 23 bytes, expected 300000"),
    "stated length of a page as large": (
        lambda handler: handler.reply(200, WRONG, Content_Type="text/html; charset=utf-8"), "web page"),
    "longer": (lambda handler: handler.reply(200, CONTENT + b"x", None), "longer than 300000 bytes; it is not kept"),
    "nothing": (lambda handler: handler.reply(200, b"", None), "ended after 0 of 300000"),
    "hangs up": (lambda handler: handler.connection.shutdown(socket.SHUT_RDWR), "no answer: "),
    "nonsense": (lambda handler: handler.wfile.write(b"\0\1\2\n"), "no answer: "),
    "elsewhere": (
        lambda handler: handler.reply(302, Location="http://192.0.2.1/n"), "on to http://192.0.2.1, which is not safe"),
    "a file": (lambda handler: handler.reply(302, Location="file:///etc/passwd"), "302"),
    "round": (lambda handler: handler.reply(302, Location="/n"), "302"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_answers_are_one_sentence_each_and_leave_nothing(target: Path, name: str) -> None:
    way, said = BAD[name]
    with serving(n=way) as server:
        error = refusal(target, server.address("/n"), timeout_s=10.0)
    assert said in str(error) and "\n" not in str(error), str(error)
    assert os.listdir(target.parent) == []


def test_another_part_than_asked_for(target: Path) -> None:
    fetch.part_of(target).write_bytes(CONTENT[:1000])
    with serving(n=lambda handler: handler.reply(206, CONTENT, Content_Range="bytes 0-299999/300000")) as server:
        assert "another part" in str(refusal(target, server.address("/n")))


def test_a_redirect_on_this_machine_is_followed(target: Path) -> None:
    fetch.part_of(target).write_bytes(CONTENT[:1000])
    with serving(n=lambda handler: handler.reply(302, Location="/m"), m=sent()) as server:
        got(target, server.address("/n"))
        assert server.asked == [("/n", "bytes=1000-"), ("/m", "bytes=1000-")]
    assert target.read_bytes() == CONTENT


def test_silence_ends(target: Path) -> None:
    held = threading.Event()
    with serving(n=lambda handler: held.wait(60) and None) as server:
        began_s = time.monotonic()
        assert "silence for too long" in str(refusal(target, server.address("/n"), timeout_s=0.3))
        assert time.monotonic() - began_s < 20
        held.set()


def test_no_network(target: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        error = refusal(target, f"http://127.0.0.1:{taken.getsockname()[1]}/n")
    assert "Connection refused" in str(error) and os.listdir(target.parent) == []


def test_the_next_address_is_taken(target: Path) -> None:
    with serving(n=lambda handler: handler.reply(404), w=sent(WRONG), c=cut(5000), m=sent()) as server:
        addresses = [server.address(path) for path in ("/n", "/w", "/c", "/m")]
        assert got(target, *addresses) == addresses[-1]
        assert server.asked == [("/n", None), ("/w", None), ("/c", None), ("/m", "bytes=5000-")]


def test_equal_reasons_are_said_once(target: Path) -> None:
    with serving(n=lambda handler: handler.reply(404), m=lambda handler: handler.reply(404)) as server:
        assert str(refusal(target, server.address("/n"), server.address("/m"))).count("answers 404") == 1


@pytest.mark.parametrize(
    "address", ["http://example.com/n", "file:///etc/passwd", "ftp://127.0.0.1/n", "n", "https://"]
)
def test_only_https_and_this_machine(target: Path, address: str) -> None:
    assert "no https address" in str(refusal(target, address))


def test_a_proxy_is_not_asked_for_this_machine(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(n=sent()) as server:
        got(target, server.address("/n"))


def test_a_proxy_of_the_environment_is_used(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy for https is asked to CONNECT. This one refuses, in words that only it says."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        asked: List[bytes] = []

        def refuse() -> None:
            peer, _ = proxy.accept()
            with peer:
                asked.append(peer.recv(4096))
                peer.sendall(b"HTTP/1.1 407 Not Without A Name\r\n\r\n")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        assert "407 Not Without A Name" in str(refusal(target, "https://example.invalid/n"))
        thread.join(10)
    assert asked[0].startswith(b"CONNECT example.invalid:443")


def test_a_file_put_there_by_hand_is_checked(target: Path) -> None:
    target.write_bytes(CONTENT)
    assert got(target, "https://example.invalid/n") is None
    target.write_bytes(WRONG)
    with pytest.raises(UsageError) as caught:
        got(target, "https://example.invalid/n")
    assert entry_for().sha256 in str(caught.value) and "move it away" in str(caught.value.hint)
    assert target.read_bytes() == WRONG, "a file of the user is never written over"


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling link"])
def test_what_is_no_file_is_left_alone(target: Path, kind: str) -> None:
    {"folder": target.mkdir, "pipe": lambda: os.mkfifo(target), "dangling link": lambda: target.symlink_to("gone")}[
        kind
    ]()
    with pytest.raises(UsageError):
        got(target, "https://example.invalid/n")
    assert os.path.lexists(target)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_part_of_somebody_else_is_not_written(target: Path, tmp_path: Path, kind: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"dear")
    part = fetch.part_of(target)
    part.symlink_to(victim) if kind == "link" else os.mkfifo(part)
    with serving(n=sent()) as server, pytest.raises(UsageError):
        got(target, server.address("/n"))
    assert victim.read_bytes() == b"dear" and not target.exists() and os.path.lexists(part)


def test_two_at_a_time(target: Path) -> None:
    held = threading.Event()

    def slow(handler: Handler) -> None:
        held.wait(60)
        sent()(handler)

    with serving(n=slow) as server:
        first = child(target, server.address("/n"))
        wait_for(lambda: bool(server.asked))
        second = child(target, server.address("/n"))
        said, _ = second.communicate(timeout=60)
        assert said.startswith("UsageError: ") and f"is being written by process {first.pid}" in said
        held.set()
        assert first.communicate(timeout=60)[0].strip() == server.address("/n")
        assert len(server.asked) == 1
    assert target.read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written(target: Path) -> None:
    os.chmod(target.parent, 0o555)
    with serving(n=sent()) as server:
        said, _ = child(target, server.address("/n"), "os.geteuid() or os.seteuid(65534)").communicate(timeout=60)
        assert server.asked == []
    assert said.startswith(f"UsageError: {target} cannot be written: Permission denied | check folder"), said


def test_a_full_disk(target: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))"
    with serving(n=sent()) as server:
        said, _ = child(target, server.address("/n"), limit).communicate(timeout=60)
        assert said.startswith(f"UsageError: {target} cannot be written: File too large | "), said
        got(target, server.address("/n"))
        assert 0 < int(str(server.asked[-1][1])[len("bytes=") : -1]) <= 150_000, "it goes on there"
    assert target.read_bytes() == CONTENT
