"""Streams over HTTP: pictures without an end, users, redirections, playlists."""

from __future__ import annotations

import base64
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import cv2
import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.errors import SourceError
from edge_runtime.sources import SourceOptions, _web, rtsp
from tests.loop.parts import within
from tests.sources.mjpeg import JPEG, PART, MjpegServer
from tests.sources.tls import Front, certificate
from tests.sources.ts_server import pieces

pytest.importorskip("av")
MULTIPART = "multipart/x-mixed-replace; boundary=frame"
PICTURE = PART % (len(JPEG), JPEG)
Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Answers by path. Attributes: sent: bytes that the network took. asked: paths."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: Dict[str, Answer] = {}
        self.asked: List[str] = []
        self.sent = 0
        self.place = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_: Any) -> None:
        """A client may go away."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.answers[self.path](self)

    def begin(self, kind: str = MULTIPART, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send(self, content: bytes) -> None:
        self.wfile.write(content)
        self.server.sent += len(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.shutdown()
    running.server_close()


def pictures(handler: Any) -> None:
    handler.begin()
    for _ in range(500):
        handler.send(PICTURE)
        time.sleep(0.01)


def endless(begin: bytes, kind: str) -> Answer:
    """Pictures at the first time, and then what never ends."""

    def answer(handler: Any) -> None:
        handler.begin(kind)
        for _ in range(3 if len(handler.server.asked) == 1 else 0):
            handler.send(PICTURE)
            time.sleep(0.05)
        handler.send(begin)
        for _ in range(2000):
            handler.send(b"\1" * (1 << 20))

    return answer


@pytest.mark.parametrize(("begin", "kind", "said"), [
    (b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 2147483000\r\n\r\n\xff\xd8", MULTIPART, True),
    (b"--frame\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8", MULTIPART, True),
    (b"--frame\r\nX: ", MULTIPART, False), (JPEG[:200], "image/jpeg", False), (b"", "video/mp2t", False),
])  # fmt: skip
def test_what_never_ends_takes_no_memory(
    server: Server, monkeypatch: pytest.MonkeyPatch, begin: bytes, kind: str, said: bool
) -> None:
    monkeypatch.setattr(_web, "MOST_BYTES", 4 << 20)
    server.answers["/live"] = endless(begin, kind)
    source = sources.open(f"http://{server.place}/live", SourceOptions(wait=True, max_tries=2))
    with pytest.raises(SourceError, match="did not come back in 2 tries"):
        while source.read():
            pass
    assert server.sent < len(server.asked) * (24 << 20), "the network keeps some, too"
    assert ("no picture in 4 MiB" in source.state.reason) or not said


def test_a_user_a_wrong_password_and_one_that_is_shut_out(server: Server) -> None:
    def guarded(handler: Any) -> None:
        if handler.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:p4 ss").decode():
            pictures(handler)
        else:
            handler.begin(status=401, WWW_Authenticate='Basic realm="camera"')

    server.answers.update({"/live": guarded, "/shut": lambda handler: handler.begin(status=403)})
    source = sources.open(f"http://me:p4%20ss@{server.place}/live")
    assert source.read() is not None and "p4" not in source.name
    source.close()
    for wrong, why in (("me:n0pe@", "401: wrong user or password"), ("", "401: wrong user")):
        with pytest.raises(SourceError, match=why):
            sources.open(f"http://{wrong}{server.place}/live")
    waiting = sources.open(f"http://{server.place}/shut", SourceOptions(wait=True))
    reader = threading.Thread(target=waiting.read)
    reader.start()
    assert within(10, lambda: waiting.state.name == "refused") and "403: no entry" in waiting.state.reason
    waiting.close()
    reader.join(5)


def test_a_camera_with_a_certificate_of_its_own(server: Server, tmp_path: Path) -> None:
    server.answers["/live"] = pictures
    own, other = certificate(tmp_path), certificate(tmp_path / "..")
    front = Front(server.server_port, own)
    address = f"https://127.0.0.1:{front.port}/live"
    for trusted in (None, "none", f"{own}.crt"):
        source = sources.open(address, SourceOptions(ca_file=trusted))
        assert source.read() is not None
        source.close()
    with pytest.raises(SourceError, match="no stream at"):
        sources.open(address, SourceOptions(ca_file=f"{other}.crt"))
    front.stop()


def test_redirections(server: Server) -> None:
    def to(place: str) -> Answer:
        return lambda handler: handler.begin(status=302, Location=place)  # type: ignore[attr-defined]

    server.answers.update({"/a b?x=1": to("/live"), "/live": pictures, "/turn": to("/turn"), "/out": to("file:///etc")})
    server.answers["/a%20b?x=1"] = server.answers["/a b?x=1"]
    source = sources.open(f"http://{server.place}/a b?x=1")
    assert source.read() is not None and server.asked == ["/a%20b?x=1", "/live"]
    source.close()
    for path, why in (("turn", "from one address to the next"), ("out", "not of the web")):
        with pytest.raises(SourceError, match=why):
            sources.open(f"http://{server.place}/{path}")


def test_a_redirection_does_not_lead_out_of_tls(server: Server, tmp_path: Path) -> None:
    front = Front(server.server_port, certificate(tmp_path))
    to = {"Location": f"http://127.0.0.1:{server.server_port}/plain"}
    server.answers.update({"/live": lambda handler: handler.begin(status=302, **to), "/plain": pictures})  # type: ignore[attr-defined]
    with pytest.raises(SourceError, match="an address without TLS"):
        sources.open(f"https://me:pass@127.0.0.1:{front.port}/live")
    assert server.asked == ["/live"], "nobody but the server behind TLS may hear the password"
    front.stop()


def test_pictures_of_another_size_in_one_connection() -> None:
    other = cv2.imencode(".jpg", np.zeros((90, 160, 3), np.uint8))[1].tobytes()
    server = MjpegServer(jpegs=(JPEG, other))
    source = sources.open(server.url)
    sizes = [source.read().image_wh for _ in range(6)]
    assert set(sizes) == {(320, 240), (160, 90)} and source.description.startswith(f"{sizes[-1][0]}x{sizes[-1][1]} ")
    assert source.restarts == source.state.broken == 0
    source.close()
    server.stop()


def test_a_camera_that_is_slower_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "TIMEOUT_MS", 300)
    server = MjpegServer(pause_s=0.6)
    with pytest.raises(SourceError, match="no answer in time"):
        sources.open(server.url)
    source = sources.open(server.url, SourceOptions(patience_s=20))
    assert [source.read().index for _ in range(3)] == [0, 1, 2] and source.restarts == 0
    source.close()
    server.stop()


def test_an_answer_whose_head_comes_byte_by_byte(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_web, "WAIT_S", 0.5)
    monkeypatch.setattr(_web, "WAITS", 1)

    def drip(handler: Any) -> None:
        handler.send(b"HTTP/1.0 200 OK\r\nX: ")
        for _ in range(300):
            handler.send(b"x")
            time.sleep(0.05)

    server.answers["/live"] = drip
    began_s = time.monotonic()
    with pytest.raises(SourceError, match="no answer in time"):
        sources.open(f"http://{server.place}/live", SourceOptions(patience_s=0.4))
    assert time.monotonic() - began_s < 10, "and not the 15 s of the server"


@pytest.mark.parametrize("before", [0, 5])
def test_a_picture_that_comes_byte_by_byte(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], before: int
) -> None:
    monkeypatch.setattr(_web, "WAIT_S", 0.5)
    monkeypatch.setattr(_web, "WAITS", 1)

    def drip(handler: Any) -> None:
        handler.begin()
        handler.send(PICTURE * (before if len(handler.server.asked) == 1 else 0) + PICTURE[:80])
        for _ in range(500):
            handler.send(b"x")
            time.sleep(0.05)

    server.answers["/live"] = drip
    source = sources.open(f"http://{server.place}/live", SourceOptions(wait=True, max_tries=1, patience_s=0.4))

    def read_on() -> None:
        with pytest.raises(SourceError, match="did not come back"):
            list(iter(source.read, None))

    reader = threading.Thread(target=read_on)
    reader.start()
    reader.join(10)
    assert not reader.is_alive() and source.state.reason in ("no picture in 0.5 s", "no answer in time")
    assert "PyAV" not in capfd.readouterr().err
    source.close()


def test_a_playlist_is_read_by_ffmpeg(server: Server) -> None:
    playlist = b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.6,\none.ts\n#EXT-X-ENDLIST\n"
    video = b"".join(pieces(30))

    def whole(content: bytes, kind: str) -> Answer:
        def answer(handler: Any) -> None:
            handler.begin(kind, Content_Length=str(len(content)))
            handler.send(content)

        return answer

    server.answers.update({"/live.m3u8": whole(playlist, "text/plain"), "/one.ts": whole(video, "video/mp2t")})
    source = sources.open(f"http://{server.place}/live.m3u8")
    assert source.read().image_wh == (320, 240)
    source.close()


def test_close_ends_a_read_that_waits(server: Server) -> None:
    over = threading.Event()

    def mute(handler: Any) -> None:
        handler.begin()
        for _ in range(40):
            handler.send(PICTURE)
        over.wait(60)

    server.answers["/live"] = mute
    source = sources.open(f"http://{server.place}/live", SourceOptions(patience_s=60))
    reader = threading.Thread(target=lambda: list(iter(source.read, None)))
    reader.start()
    assert within(5, lambda: source.state.frames > 0)
    source.close()
    assert within(5, lambda: not source._apart._thread.is_alive())
    reader.join(5)
    assert not reader.is_alive()
    over.set()
