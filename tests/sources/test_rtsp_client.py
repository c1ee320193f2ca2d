"""Our RTSP client: users, TLS, H.265, codecs that FFmpeg reads, and servers that answer nonsense."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from edge_runtime import sources
from edge_runtime.errors import SourceError
from edge_runtime.imaging import gst, pyav
from edge_runtime.sources import SourceOptions, _rtsp, _rtspcapture, gstreamer, rtsp
from edge_runtime.sources._avcapture import AvCapture
from edge_runtime.sources._avopen import NO_ANSWER
from edge_runtime.sources._rtsp import RtspConnection
from edge_runtime.sources._rtspcapture import RtspCapture
from edge_runtime.sources._wire import Wire
from tests.loop.parts import within
from tests.sources.answering import ALL, OK, REPORT, REQUESTS, answering
from tests.sources.rtsp_server import H265, JPEG, RtspServer, launch
from tests.sources.tls import Front, certificate

pytestmark = pytest.mark.skipif(pyav.reason() is not None, reason="PyAV decodes")


def serving(needs: str, pipeline: str = "", user: str = "") -> RtspServer:
    if gstreamer.available() is not None or not gst.has(needs):
        pytest.skip(f"the server needs GStreamer and {needs}")
    return RtspServer(pipeline, user)


@pytest.fixture(scope="module")
def server() -> Iterator[RtspServer]:
    running = serving("x264enc")
    yield running
    running.stop()


def test_the_age_of_frames_by_the_camera_s_clock(server: RtspServer) -> None:
    source = sources.open(server.url)
    assert within(5, lambda: source.read() is not None and source.state.age_s is not None)
    assert -0.1 < source.state.summary()["age_s"] < 1
    assert isinstance(source._apart.capture, RtspCapture) and source.description.startswith("320x240 h264 at 30 fps")
    source.close()


def test_pictures_that_are_too_large_are_refused(server: RtspServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rtspcapture, "MOST_PIXELS", 320 * 240 - 1)
    with pytest.raises(SourceError, match="pictures of 320x240 are too large for a live source"):
        sources.open(server.url)


def test_a_user_and_a_wrong_password() -> None:
    server = serving("x264enc", user="me:s@cret")
    place = server.url.partition("://")[2]
    source = sources.open(f"rtsp://me:s%40cret@{place}")
    assert source.read() is not None and "cret" not in source.name
    source.close()
    for wrong in ("me:n0pe@", ""):
        with pytest.raises(SourceError, match="401: wrong user or password"):
            sources.open(f"rtsp://{wrong}{place}")
    server.stop()


@pytest.mark.parametrize(("encoder", "needs", "capture"), [
    (H265, "x265enc", RtspCapture), (JPEG, "rtpjpegpay", AvCapture),
])  # fmt: skip
def test_other_codecs(encoder: str, needs: str, capture: Any) -> None:
    server = serving(needs, launch(encoder=encoder))
    source = sources.open(server.url)
    frames = [source.read() for _ in range(5)]
    assert isinstance(source._apart.capture, capture) and frames[-1].image_wh == (320, 240)
    assert frames[-1].image.max() > 200, "the ball"
    source.close()
    server.stop()


def test_a_camera_with_a_certificate_of_its_own(server: RtspServer, tmp_path: Path) -> None:
    own = certificate(tmp_path)
    front = Front(server.port, own)
    address = f"rtsps://127.0.0.1:{front.port}/live"
    with pytest.raises(SourceError, match="nobody vouches for its certificate") as caught:
        sources.open(address)
    assert "--ca-file" in str(caught.value)
    for trusted in (f"{own}.crt", "none"):
        source = sources.open(address, SourceOptions(ca_file=trusted))
        assert source.read() is not None
        source.close()
    with pytest.raises(SourceError, match="no stream at"):
        sources.open(address, SourceOptions(ca_file=str(certificate(tmp_path / "..")) + ".crt"))
    front.stop()


@pytest.mark.parametrize("answer", [
    b"", b"\0" * 100_000, b"HTTP/1.0 400 Bad Request\r\n\r\n", b"RTSP/1.0 200 " + b"x" * 100_000,
    OK + b"Content-Length: 2147483648\r\n\r\n" + b"x" * 100_000, OK + b"Content-Length: -1\r\n\r\n",
    OK + b"X: y\r\n" * 10_000, OK + b"Content-Length: 4\r\n\r\nv=0\n", b"$\0\xff\xff" + b"x" * 70_000,
    b"RTSP/1.0 200 OK\r\nCSeq: 77\r\n\r\n" * 1000, b"RTSP/1.0 \xff\xfe\r\n\r\n",
    OK + b"Content-Length: \xb2\r\n\r\n", b"RTSP/1.0 999 \x1b[2J\r\nCSeq: %d\r\n\r\n",
])  # fmt: skip
def test_answers_that_make_no_sense(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "TIMEOUT_MS", 300)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answering, args=(listening, answer), daemon=True).start()
        with pytest.raises(SourceError, match="no stream at") as caught:
            sources.open(f"rtsp://me:s3cret@127.0.0.1:{listening.getsockname()[1]}/live")
    assert "s3cret" not in f"{caught.value}" and "\x1b" not in f"{caught.value}"


def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rtspcapture, "FIRST_KEY_S", 0.5)
    monkeypatch.setattr(rtsp, "TIMEOUT_MS", 500)


def byte_by_byte(begin: Callable[[socket.socket], None]) -> RtspCapture:
    """What a server gets that begins well, and then sends a byte again and again for ever."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            begin(connection)
            while not over.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=lambda: drip(listening.accept()[0]), daemon=True).start()
        found: List[RtspCapture] = []
        address = f"rtsp://127.0.0.1:{listening.getsockname()[1]}/live"
        opening = threading.Thread(target=lambda: found.append(RtspCapture(address, 0.4, None)))
        opening.start()
        opening.join(10)
        over.set()
        assert found and not found[0].opened and found[0].error
        return found[0]


@pytest.mark.parametrize("begin", [b"RTSP/1.0 200 OK\r\nX: ", OK + b"Content-Length: 9999\r\n\r\n", b"$\0\xff\xff"])
def test_an_answer_that_comes_byte_by_byte(begin: bytes) -> None:
    assert byte_by_byte(lambda connection: connection.sendall(begin.replace(b"%d", b"1"))).error == NO_ANSWER


def test_many_slow_answers_end_with_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rtsp, "BEGIN_S", 0.5)
    monkeypatch.setattr(_rtsp, "ANSWERS", 1)
    monkeypatch.setattr(Wire, "_check", lambda *given: None)
    byte_by_byte(lambda connection: connection.sendall(b"RTSP/1.0 200 OK\r\nX: "))


@pytest.mark.parametrize("begin", [b"$\0\xff\xff", b"RTSP/1.0 200 OK\r\nX: "])
def test_a_packet_that_comes_byte_by_byte_while_it_plays(begin: bytes) -> None:
    def play(connection: socket.socket) -> None:
        for number in range(1, REQUESTS + 1):
            connection.recv(4096)
            connection.sendall(ALL.replace(b"%d", b"%d" % number))
        connection.sendall(begin)

    assert byte_by_byte(play).error == NO_ANSWER


def test_a_camera_that_sends_reports_and_no_video_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    _hurry(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answering, args=(listening, ALL, REPORT), daemon=True).start()
        with pytest.raises(SourceError, match=r"no picture in 0\.5 s"):
            sources.open(f"rtsp://127.0.0.1:{listening.getsockname()[1]}/live")


def test_an_endless_time_to_live(monkeypatch: pytest.MonkeyPatch) -> None:
    _hurry(monkeypatch)
    answer = ALL.replace(b"Transport", b"Session: 1;timeout=" + b"9" * 400 + b"\r\nTransport")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answering, args=(listening, answer, REPORT), daemon=True).start()
        with pytest.raises(SourceError, match=r"no picture in 0\.5 s"):
            sources.open(f"rtsp://127.0.0.1:{listening.getsockname()[1]}/live")


@pytest.mark.parametrize("host", ["camera..local", "c" * 64 + ".local"])
def test_a_name_that_cannot_be_one_of_a_machine(host: str) -> None:
    with pytest.raises(SourceError, match=r"no stream at .*name or characters that no network takes"):
        sources.open(f"rtsp://{host}/live")


def test_a_session_is_kept_where_the_camera_wants_a_new_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(socket, "create_connection", lambda *given: ours)
    monkeypatch.setattr(RtspConnection, "_begin", lambda self: None)
    monkeypatch.setattr(ours.__class__, "setsockopt", lambda *given: None)
    connection = RtspConnection("rtsp://me:s3cret@camera/live", 1, None)
    connection._keep = "OPTIONS"
    connection._credentials.challenge('Digest realm="x", nonce="old"')
    theirs.sendall(b'RTSP/1.0 401 No\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="x", nonce="new"\r\n\r\n$\0\0\1x')
    assert next(connection.packets()) == (0, b"x")
    asked = theirs.recv(4096).decode()
    assert asked.count("OPTIONS ") == 2 and 'nonce="new"' in asked
    connection.close()
    theirs.close()
