"""Live sources that break: how often and when they are tried, what state they are in, how they are closed."""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any, Iterator, List, Optional

import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.errors import SourceError
from edge_runtime.sources import SourceOptions, _live, rtsp
from edge_runtime.sources._live import LiveSource
from tests.loop.parts import within
from tests.sources.mjpeg import JPEG, MjpegServer
from tests.sources.pauses import recorded

IMAGE = np.zeros((4, 4, 3), np.uint8)


class Camera:
    """A capture that gives what it is told to: a picture, a time, or None, which breaks the connection."""

    fps, size, form, ended = None, "4x4", "", False

    def __init__(self, script: List[Any], opened: bool = True) -> None:
        self.script, self.opened, self.error, self.lost = script, opened, "", 0
        self.stamp_s: Optional[float] = None
        self.refused = self.slow = self.closed = False
        self.opened_times = 0
        self.came_s = 0.0

    def read(self, buffer: Any = None) -> Any:
        self.stamp_s = self.script.pop(0) if self.script else None
        self.came_s = _live.time.monotonic()
        return None if self.stamp_s is None else IMAGE

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def live(camera: Camera, **options: Any) -> LiveSource:
    def make() -> Camera:
        camera.opened_times += 1
        return camera

    return LiveSource("cam", make, SourceOptions(**options), SourceError)


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    running = MjpegServer()
    yield running
    running.stop()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    return recorded(monkeypatch, _live.PAUSES_S + _live.LONG_PAUSES_S)


def test_it_reconnects_and_counts_on(server: MjpegServer) -> None:
    source = sources.open(server.url)
    source.read()
    server.stop()
    indexes: List[int] = []
    reader = threading.Thread(target=lambda: indexes.extend(frame.index for frame in iter(source.read, None)))
    reader.start()
    assert within(10, lambda: source.state.name == "lost") and source.state.reason
    back = MjpegServer(server.port)
    assert within(10, lambda: source.state.name == "live")
    source.close()
    reader.join(10)
    back.stop()
    assert not reader.is_alive() and indexes == list(range(1, len(indexes) + 1)), "counting goes on"
    assert source.restarts == 1 and source.state.summary()["reconnects"] == 1


def test_for_ever_unless_told_otherwise(waits: List[float]) -> None:
    camera = Camera([0.0])
    source = live(camera, max_tries=300)
    source.read()
    with pytest.raises(SourceError, match="did not come back in 300 tries"):
        source.read()
    assert camera.opened_times == 301 and waits == [0.1, 0.5, 1.0] + [1.5] * 297
    assert source.read() is None and camera.closed


def test_a_frame_and_no_mere_connection_resets_the_count(waits: List[float]) -> None:
    camera = Camera([0.0, None, None, 1.0, None, None, 2.0])
    source = live(camera, max_tries=2)
    assert [source.read().index for _ in range(3)] == [0, 1, 2]
    assert waits == [0.1, 0.5] * 2 and source.restarts == source.state.reconnects == 2
    with pytest.raises(SourceError):
        source.read()


def test_one_that_refuses_us_is_asked_after_minutes(waits: List[float], caplog: pytest.LogCaptureFixture) -> None:
    camera = Camera([0.0, *[None] * 6, 1.0])
    source = live(camera)
    source.read()
    camera.refused = camera.slow = True
    camera.error = "Server returned 401 Unauthorized"
    source.read()
    assert waits == [30, 60, 120, 300, 300, 300] and source.state.name == "live"
    said = [record.message for record in caplog.records]
    assert said == ["source cam is refused: Server returned 401 Unauthorized", "source cam is live"]


def test_by_a_server_that_answers_401() -> None:
    asked: List[bytes] = []

    def answer(listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            with connection:
                while True:
                    request = connection.recv(4096)
                    if not request:
                        break
                    asked.append(request)
                    number = request.split(b"CSeq: ")[1].split(b"\r\n")[0]
                    realm = b'WWW-Authenticate: Basic realm="camera"\r\n'
                    connection.sendall(b"RTSP/1.0 401 Unauthorized\r\nCSeq: " + number + b"\r\n" + realm + b"\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answer, args=(listening,), daemon=True).start()
        address = f"rtsp://me:n0pe@127.0.0.1:{listening.getsockname()[1]}/live"
        with pytest.raises(SourceError, match="401"):
            sources.open(address)
        source = sources.open(address, SourceOptions(wait=True))
        reader = threading.Thread(target=source.read)
        reader.start()
        assert within(10, lambda: source.state.name == "refused")
        count = len(asked)
        source.close()
        reader.join(5)
    assert not reader.is_alive() and len(asked) == count <= 6


def test_away_at_the_start(server: MjpegServer, caplog: pytest.LogCaptureFixture) -> None:
    server.stop()
    with pytest.raises(SourceError, match="no stream at"):
        sources.open(server.url)
    source = sources.open(server.url, SourceOptions(wait=True))
    assert source.fps is None and "not there yet" in source.description
    reader = threading.Thread(target=source.read)
    reader.start()
    assert within(10, lambda: source.state.reason == "connection refused") and source.state.name == "connecting"
    back = MjpegServer(server.port)
    reader.join(10)
    assert source.state.name == "live" and "320x240" in source.description
    source.close()
    back.stop()
    assert source.restarts == source.state.reconnects == 0
    assert [r.message.split(" is ")[1] for r in caplog.records] == ["connecting: connection refused", "live"]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_frames_of_the_past_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five seconds without a frame, then those that were kept back, at once, then the present."""
    kept = [1 + number / 10 for number in range(50)]
    camera, now = Camera([0.0, 1.0, *kept, 6.1, 6.2]), [0.0, 1.0, *[6.0] * 50, 6.1, 6.2]
    monkeypatch.setattr(_live.time, "monotonic", lambda: now[-1 - len(camera.script)])
    source = live(camera)
    frames = [source.read().index for _ in range(2)]
    assert frames == [0, 1]
    late = source.read()
    assert source.state.stale == 40 and late.index == 42, "those from 5.0 s on are less than a second old"


def test_half_a_picture_is_left_out_and_counted() -> None:
    """FFmpeg would decode it, with grey below."""
    server = MjpegServer(jpegs=(JPEG, JPEG[: len(JPEG) // 2]))
    source = sources.open(server.url)
    frames = [source.read() for _ in range(5)]
    assert all(abs(frame.image[-20:].mean() - frames[0].image[-20:].mean()) < 1 for frame in frames)
    assert source.state.broken >= 4 and frames[-1].index == source.state.broken + 4
    source.close()
    server.stop()


@pytest.mark.parametrize("hangs", [False, True], ids=["pause", "read"])
def test_close_ends_every_wait_at_once(hangs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_live, "PAUSES_S", (3600.0,))
    camera, gate = Camera([]), threading.Event()
    camera.read = lambda buffer=None: gate.wait(60) and None if hangs else None
    source = live(camera)
    reader = threading.Thread(target=source.read)
    reader.start()
    reader.join(0.05)
    assert reader.is_alive()
    source.close()
    reader.join(5)
    assert not reader.is_alive() and camera.closed is not hangs
    gate.set()
    assert within(5, lambda: camera.closed), "the thread that was left closes it"


def test_a_mute_connection_is_stalled_then_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_live, "QUIET_S", 0.05)
    gate, camera = threading.Event(), Camera([0.0])
    source = live(camera)
    source.read()
    camera.read = lambda buffer=None: gate.wait(10) and None
    reader = threading.Thread(target=source.read)
    reader.start()
    assert within(5, lambda: source.state.name == "stalled") and source.state.reason == "no frame for 0.05 s"
    gate.set()
    assert within(5, lambda: source.state.name == "lost") and source.state.stalls == 1
    source.close()
    reader.join(5)


def test_a_server_that_accepts_and_stays_mute_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "TIMEOUT_MS", 300)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"rtsp://127.0.0.1:{mute.getsockname()[1]}/live"
        source = sources.open(address, SourceOptions(wait=True, max_tries=2))
        with pytest.raises(SourceError, match="did not come back in 2 tries"):
            source.read()
    assert source.state.reason == "no answer in time"
