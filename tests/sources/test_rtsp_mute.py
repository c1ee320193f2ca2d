"""A camera that answers OPTIONS and never DESCRIBE: it hangs where a connection is half made."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from edge_runtime import Pipeline, sources
from edge_runtime.errors import SourceError
from edge_runtime.imaging import gst, pyav
from edge_runtime.loop import ends
from edge_runtime.loop.run import GRACE_S
from edge_runtime.sources import SourceOptions, _live, gstreamer
from edge_runtime.sources._avopen import NO_ANSWER
from tests.loop.parts import Numbers, Sink, open_detector, within
from tests.sources.pauses import recorded
from tests.sources.rtsp_server import RtspServer

pytestmark = pytest.mark.skipif(pyav.reason() is not None, reason="PyAV decodes")
PATIENCE_S = 0.4
PUBLIC = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"


class MuteCamera:
    """Answers OPTIONS. `asked` has the methods of all requests."""

    def __init__(self) -> None:
        self.asked: List[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._connections: List[socket.socket] = []
        self.address = f"rtsp://127.0.0.1:{self._listening.getsockname()[1]}/live"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Ends all connections: who waits for an answer gets none."""
        for each in (self._listening, *self._connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._connections.append(self._listening.accept()[0])
                threading.Thread(target=self._answer, args=(self._connections[-1],), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for request in iter(lambda: connection.recv(4096).decode(), ""):
                self.asked.append(request.partition(" ")[0])
                number = request.partition("CSeq: ")[2].partition("\r")[0]
                if self.asked[-1] == "OPTIONS":
                    connection.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{PUBLIC}\r\n\r\n".encode())


class Relay:
    """Stands before a camera. While it is `mute`, no DESCRIBE reaches the camera."""

    def __init__(self, port: int) -> None:
        self.mute, self._port = False, port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: List[socket.socket] = []
        self.address = f"rtsp://127.0.0.1:{self._listening.getsockname()[1]}/live"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends the connections that there are."""
        for each in self._ends:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        self._ends.append(self._listening)
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                ours, theirs = self._listening.accept()[0], socket.create_connection(("127.0.0.1", self._port))
                self._ends += [ours, theirs]
                for pair in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for piece in iter(lambda: source.recv(65536), b""):
                if not (self.mute and piece.startswith(b"DESCRIBE")):
                    sink.sendall(piece)
            sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def mute() -> Iterator[MuteCamera]:
    camera = MuteCamera()
    yield camera
    camera.stop()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    return recorded(monkeypatch, _live.PAUSES_S)


def test_without_waiting_it_is_an_error_within_its_time(mute: MuteCamera) -> None:
    with pytest.raises(SourceError, match=f"no stream at .*: {NO_ANSWER}"):
        sources.open(mute.address, SourceOptions(patience_s=PATIENCE_S))
    assert mute.asked == ["OPTIONS", "DESCRIBE"]


def test_it_is_tried_again_with_growing_pauses_and_given_up(mute: MuteCamera, waits: List[float], caplog: Any) -> None:
    source = sources.open(mute.address, SourceOptions(wait=True, max_tries=5, patience_s=0.2))
    with pytest.raises(SourceError, match="did not come back in 5 tries"):
        source.read()
    assert waits == [*_live.PAUSES_S, _live.PAUSES_S[-1]]
    assert mute.asked == ["OPTIONS", "DESCRIBE"] * 6
    assert (source.state.name, source.state.reason, source.state.frames) == ("connecting", NO_ANSWER, 0)
    assert [record.message.split(" is ")[1] for record in caplog.records] == [f"connecting: {NO_ANSWER}"]


def test_a_camera_that_becomes_mute_is_lost_and_comes_back() -> None:
    if gstreamer.available() is not None or not gst.has("x264enc"):
        pytest.skip("the server needs GStreamer and x264enc")
    server = RtspServer()
    relay = Relay(server.port)
    source = sources.open(relay.address, SourceOptions(patience_s=2))
    reader = threading.Thread(target=lambda: all(iter(lambda: source.read() is not None, False)))
    reader.start()
    assert within(15, lambda: source.state.name == "live")
    relay.mute = True
    relay.cut()
    assert within(15, lambda: (source.state.name, source.state.reason) == ("lost", NO_ANSWER))
    relay.mute = False
    assert within(15, lambda: source.state.name == "live") and source.state.reconnects == 1
    source.close()
    reader.join(5)
    assert not reader.is_alive()
    relay.stop()
    server.stop()


@pytest.mark.parametrize("scheme", ["", "gst+"])
def test_a_run_ends_while_the_camera_is_asked(
    scheme: str, mute: MuteCamera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The camera has a minute to answer, and the run has its grace time to end."""
    if scheme and gstreamer.available() is not None:
        pytest.skip(str(gstreamer.available()))
    monkeypatch.setattr(ends, "START_S", 0.1)
    with open_detector(tmp_path) as detector:
        sink, other = Sink(), Numbers(10**9, live=True)
        options = SourceOptions(wait=True, patience_s=60)
        pipeline = Pipeline(detector, [f"{scheme}{mute.address}", other], sink, source_options=options)
        run = threading.Thread(target=pipeline.run, daemon=True)
        run.start()
        try:
            assert within(15, lambda: "DESCRIBE" in mute.asked and len(sink.seen) > 3), "the other one goes on"
            (state,) = pipeline.states
            assert (state["state"], state["frames"]) == ("connecting", 0)
        finally:
            pipeline.stop()
            run.join(GRACE_S)
        assert not run.is_alive() and sink.finished == 1
