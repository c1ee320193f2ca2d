"""Network streams against a real server on the loopback that dies and comes back."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from functools import partial
from pathlib import Path
from typing import Callable, Iterator

import pytest

from edge_runtime import sources
from edge_runtime.errors import SourceError
from edge_runtime.imaging import pyav
from edge_runtime.sources import _gst, gstreamer, rtsp
from edge_runtime.sources._opencv import CvCapture
from tests.sources.clips import write_clip
from tests.sources.mjpeg import MjpegServer
from tests.sources.rtsp_server import RtspServer


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    running = MjpegServer()
    yield running
    running.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(rtsp, "LONGEST_WAIT_S", 0.05)


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited 10 s in vain")


def test_reads_live_frames(server: MjpegServer) -> None:
    before = time.time()
    source = sources.open(server.url)
    assert source.live and source.frame_count is None and source.state == "connected"
    frames = [source.read() for _ in range(5)]
    assert [frame.index for frame in frames] == list(range(5))
    assert abs(frames[0].image.mean() - 70) < 2
    assert all(before <= frame.timestamp_s <= time.time() for frame in frames)
    source.close()
    assert source.read() is None and source.state == "closed"


def test_a_camera_of_rtsp_dies_and_comes_back(impatient: None) -> None:
    """Frames keep the decoder's pixels, and no frame waits for another: the decoder has one thread."""
    if gstreamer.available() is not None or not _gst.has("x264enc"):
        pytest.skip("the server needs GStreamer and x264enc")
    server = RtspServer()
    try:
        source = sources.open(server.url)
        frame = source.read()
        assert frame.image_wh == (320, 240) and frame.pixels.format == "i420" and source.fps == 30
        assert source._capture._reader.stream.codec_context.thread_count == 1
        server.stop()
        back = threading.Timer(0.3, server.start)
        back.start()
        until(lambda: source.read() is not None and not back.is_alive() and source.state == "connected")
        source.close()
        assert source.read() is None
    finally:
        server.stop()


def test_by_opencv_where_pyav_is_missing(server: MjpegServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyav, "reason", lambda: "av is not installed: pip install av")
    source = sources.open(server.url)
    frames = [source.read() for _ in range(3)]
    assert [frame.index for frame in frames] == [0, 1, 2] and isinstance(source._capture, CvCapture)
    source.close()


def test_reconnects_when_the_camera_comes_back(
    server: MjpegServer, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = sources.open(server.url)
    source.read()
    server.stop()
    indexes, back = [], []

    def read_on() -> None:
        for frame in iter(source.read, None):
            indexes.append(frame.index)
            if back:
                return

    reader = threading.Thread(target=read_on)
    reader.start()
    until(lambda: source.state.startswith("reconnecting, try "))
    back.append(MjpegServer(server.port))
    reader.join(10)
    assert not reader.is_alive() and source.state == "connected" and source.restarts == 1
    assert indexes == list(range(1, len(indexes) + 1)), "counting goes on"
    back[0].stop()
    states = []
    monkeypatch.setattr(source._closing, "wait", lambda timeout: states.append(source.state))
    with pytest.raises(SourceError):
        list(iter(source.read, None))
    assert states == [f"reconnecting, try {i}" for i in range(1, 11)], "the next outage has all its tries"


def test_gives_up_after_a_number_of_tries(
    server: MjpegServer, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtsp, "MAX_TRIES", 3)
    source = sources.open(server.url)
    source.read()
    server.stop()
    with pytest.raises(SourceError, match="did not come back in 3 tries"):
        list(iter(source.read, None))
    assert source.read() is None


def test_a_connection_without_frames_counts_as_a_failed_try(
    server: MjpegServer, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that accepts and stays mute must not restart the back-off for ever."""
    monkeypatch.setattr(rtsp, "MAX_TRIES", 2)
    monkeypatch.setattr(rtsp, "TIMEOUT_MS", 1000)
    source = sources.open(server.url)
    source.read()
    server.stop()
    with socket.create_server(("127.0.0.1", server.port)), pytest.raises(SourceError, match="did not come back"):
        list(iter(source.read, None))


def test_close_interrupts_a_waiting_reconnect(server: MjpegServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "FIRST_WAIT_S", 3600.0)
    monkeypatch.setattr(rtsp, "LONGEST_WAIT_S", 3600.0)
    source = sources.open(server.url)
    server.stop()
    reader = threading.Thread(target=lambda: list(iter(source.read, None)))
    reader.start()
    until(lambda: source.state == "reconnecting, try 1")
    source.close()
    reader.join(10)
    assert not reader.is_alive()


def test_the_pauses_grow_to_a_limit(server: MjpegServer, monkeypatch: pytest.MonkeyPatch) -> None:
    source = sources.open(server.url)
    server.stop()
    waits = []
    monkeypatch.setattr(source._closing, "wait", lambda timeout: waits.append(timeout))
    with pytest.raises(SourceError):
        list(iter(source.read, None))
    assert waits == [0.5, 1, 2, 4, 8, 8, 8, 8, 8, 8]


def test_a_mute_server_is_given_up_by_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "TIMEOUT_MS", 200)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        for scheme in ("http", "rtsp"):
            with pytest.raises(SourceError, match="no stream at"):
                sources.open(f"{scheme}://127.0.0.1:{mute.getsockname()[1]}/live")


def test_passwords_stay_out_of_names_and_errors() -> None:
    with pytest.raises(SourceError) as caught:
        sources.open("rtsp://user:s3@cret@127.0.0.1:9/live.mp4")
    assert "127.0.0.1:9/live.mp4" in str(caught.value) and "cret" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize("path", ["bus.jpg", "a/B.PNG?size=1", "x.webp#y"])
def test_a_picture_over_http_is_no_stream(path: str) -> None:
    """FFmpeg would fetch it again and again. Nothing is listening here: it is refused by its name."""
    with pytest.raises(SourceError, match="is one picture, not a stream") as caught:
        sources.open(f"http://me:secret@127.0.0.1:9/{path}")
    assert "download" in str(caught.value.hint) and "secret" not in str(caught.value)


def test_a_video_file_over_http_is_no_live_source(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", 20)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as files:
        threading.Thread(target=files.serve_forever, args=(0.01,), daemon=True).start()
        source = sources.open(f"http://127.0.0.1:{files.server_address[1]}/clip.mkv?token=1")
        assert not source.live
        assert len(list(iter(source.read, None))) == 20
        files.shutdown()
