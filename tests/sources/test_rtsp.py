"""Network streams: what is one, how it is opened and closed, what its errors say."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from functools import partial
from pathlib import Path
from typing import Iterator

import pytest

from edge_runtime import sources
from edge_runtime.errors import SourceError, UsageError
from edge_runtime.imaging import pyav
from edge_runtime.sources import SourceOptions, rtsp
from edge_runtime.sources._opencv import CvCapture
from tests.sources.clips import write_clip
from tests.sources.mjpeg import MjpegServer


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    running = MjpegServer()
    yield running
    running.stop()


def test_reads_live_frames(server: MjpegServer) -> None:
    before = time.time()
    source = sources.open(server.url)
    assert source.live and source.frame_count is None and source.state.name == "connecting"
    frames = [source.read() for _ in range(5)]
    assert [frame.index for frame in frames] == list(range(5)) and source.state.name == "live"
    assert abs(frames[0].image.mean() - 70) < 2
    assert all(before <= frame.timestamp_s <= time.time() for frame in frames)
    source.close()
    assert source.read() is None


def test_by_opencv_where_pyav_is_missing(server: MjpegServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyav, "reason", lambda: "av is not installed: pip install av")
    source = sources.open(server.url)
    frames = [source.read() for _ in range(3)]
    assert [frame.index for frame in frames] == [0, 1, 2] and isinstance(source._apart.capture, CvCapture)
    source.close()
    with pytest.raises(UsageError, match="OpenCV checks no certificate"):
        sources.open(server.url, SourceOptions(ca_file="ca.pem"))


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


@pytest.mark.skipif(pyav.reason() is not None, reason="OpenCV checks no certificate")
def test_a_file_without_certificates_is_no_camera_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("", encoding="utf-8")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(UsageError, match=rf"no certificates in .*{name}"):
            sources.open("rtsps://127.0.0.1:1/live", SourceOptions(wait=True, ca_file=str(tmp_path / name)))
