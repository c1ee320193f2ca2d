"""rtsp:// as an output: real viewers on the loopback, who come, go, hang and guess."""

from __future__ import annotations

import gc
import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import numpy as np
import pytest

from edge_runtime import Pipeline, sinks, sources
from edge_runtime.errors import BackendUnavailable, SinkError, UsageError
from edge_runtime.imaging import gst
from edge_runtime.sinks import _rtspserver, _rtspstream, rtsp
from edge_runtime.sinks._drawn import drawn
from edge_runtime.sinks._gstencoders import ENCODERS
from tests.loop.parts import Numbers, open_detector

av = pytest.importorskip("av")
from tests.sinks.served import (  # noqa: E402
    GROUND,
    StuckViewer,
    coloured,
    free_port,
    pictures,
    serving,
    until,
    watch_to_its_end,
    watching,
)

PASSWORD = "Quince-4711-Lantern"


@pytest.fixture(autouse=True)
def parts() -> None:
    try:
        _rtspserver.load_library()
    except BackendUnavailable as error:
        pytest.skip(str(error))
    if not gst.has("x264enc"):
        pytest.skip("needs GStreamer's x264enc")


def test_pictures_arrive_with_their_boxes_drawn() -> None:
    with serving("/live") as streams:
        image = pictures(f"{streams.sink.url}/live", 25)[-1].astype(int)
    expected = drawn(coloured()).astype(int)
    lines = np.abs(expected - np.array(GROUND)).max(axis=2) > 100
    assert lines.sum() > 500, "the boxes and their names"
    off = np.abs(image - expected)
    assert off[~lines].mean() < 4, "the ground is blue"
    assert off[lines].mean() < 30, "and the lines have their colours"


def test_our_own_source_reads_it() -> None:
    with serving("/live") as streams:
        source = sources.open(f"{streams.sink.url}/live")
        frames = [source.read() for _ in range(10)]
        source.close()
    assert frames[-1].image.shape == (240, 320, 3) and source.live
    assert np.abs(frames[-1].image[200:, 290:].astype(int) - GROUND).mean() < 8


def test_two_viewers_share_an_encoder_and_without_viewers_there_is_none() -> None:
    with serving("/live") as streams:
        url, stream = f"{streams.sink.url}/live", streams.sink.streams["cam"]
        assert stream.encoders == 0 and stream.feed is None
        with watching(url) as first, watching(url) as second:
            assert next(first).shape == next(second).shape == (240, 320, 3)
            feed = stream.feed
            next(second)
        until(lambda: stream.feed is None, "the end of the encoder")
        given = feed.pictures
        pictures(url, 2)
        assert stream.encoders == 2 and feed.pictures == given


def test_a_viewer_that_vanishes_ends_the_encoder() -> None:
    with serving("/live") as streams:
        viewer = StuckViewer(f"{streams.sink.url}/live")
        until(lambda: streams.sink.streams["cam"].feed is not None, "an encoder")
        viewer.close()
        until(lambda: streams.sink.streams["cam"].feed is None, "its end")


def test_a_viewer_that_reads_nothing_stops_nobody() -> None:
    with serving("/live?bitrate=20M") as streams:
        viewer = StuckViewer(f"{streams.sink.url}/live")
        assert len(pictures(f"{streams.sink.url}/live", 75)) == 75
        assert streams.sink.streams["cam"].encoders == 1
        viewer.close()
    assert streams.slowest_s < 5


def test_those_who_only_connect_keep_no_viewer_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rtspserver, "MOST", 3)
    monkeypatch.setattr(_rtspserver, "TICK_S", 1)

    def ended(connection: socket.socket) -> bool:
        connection.settimeout(0.01)
        try:
            return connection.recv(1) == b""
        except socket.timeout:
            return False

    with serving("/live") as streams, watching(f"{streams.sink.url}/live") as found:
        next(found)
        place = ("127.0.0.1", streams.sink._server.port)
        idle = [socket.create_connection(place) for _ in range(4)]
        until(lambda: ended(idle[0]) and ended(idle[1]), "the end of the oldest two")
        assert not ended(idle[2]) and not ended(idle[3]), "the newest may be a viewer who begins"
        for _ in range(3):
            next(found)
        for connection in idle:
            connection.close()


def test_a_frame_of_another_size_is_fitted_in_and_the_next_viewer_has_its_size() -> None:
    with serving("/live") as streams:
        url, stream = f"{streams.sink.url}/live", streams.sink.streams["cam"]
        with watching(url) as found:
            next(found)
            streams.size_wh = (321, 481)
            shown = next(image for image in found if image[120, 20].max() < 40 < image[200, 160, 0])
            assert shown.shape == (240, 320, 3)
        until(lambda: stream.feed is None, "the end of the encoder")
        until(lambda: stream._size_wh == (320, 480), "the other size")
        image = pictures(url, 10)[-1].astype(int)
    assert image.shape == (480, 320, 3) and np.abs(image[440:, 250:] - GROUND).mean() < 8


def test_rows_that_are_padded_come_out_straight() -> None:
    with serving("/live") as streams:
        streams.size_wh = (330, 250)
        until(lambda: streams.sink.streams["cam"]._size_wh == (330, 250), "the other size")
        image = pictures(f"{streams.sink.url}/live", 10)[-1].astype(int)
    assert image.shape == (250, 330, 3) and np.abs(image[210:, 300:] - GROUND).mean() < 8


def test_every_stream_has_its_path_and_one_that_is_quiet_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rtspstream, "QUIET_S", 0.5)
    with serving(rates={"rtsp://cam/1": 25, "Tür": 25, "rtsp://cam:1": 25}) as streams:
        url, paths = streams.sink.url, [stream.path for stream in streams.sink.streams.values()]
        assert paths == ["/cam_1", "/T_r", "/cam_1-2"]
        assert f"{url}/cam_1, {url}/T_r, {url}/cam_1-2" in sinks.note(streams.sink)
        streams.sources = ("Tür", "new")
        watch_to_its_end(f"{url}/cam_1")
        with pytest.raises(av.error.FFmpegError):
            pictures(f"{url}/cam_1", 1)
        assert pictures(f"{url}/T_r", 1) and pictures(f"{url}/new", 1)
        streams.sources = ("rtsp://cam/1",)
        until(lambda: streams.sink.streams["rtsp://cam/1"].served, "the stream that comes back")
        assert pictures(f"{url}/cam_1", 1)


def test_a_round_that_fails_does_not_end_the_looking_after(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_rtspstream, "QUIET_S", 0.5)
    monkeypatch.setattr(_rtspserver, "TICK_S", 1)
    unmount, failures, broken = _rtspserver.RtspServer.unmount, [], threading.Event()
    broken.set()

    def failing(server: _rtspserver.RtspServer, path: str) -> None:
        if path == "/bad" and broken.is_set():
            failures.append(path)
            raise RuntimeError("it does not end")
        unmount(server, path)

    monkeypatch.setattr(_rtspserver.RtspServer, "unmount", failing)
    with serving(rates={"bad": 25, "quiet": 25, "on": 25}) as streams:
        streams.sources = ("on",)
        found = streams.sink.streams
        until(lambda: not found["quiet"].served, "the end of a stream beside it")
        until(lambda: len(failures) > 1, "another round")
        broken.clear()
        until(lambda: not found["bad"].served, "the round that goes well")
        assert found["on"].served
    assert caplog.text.count("looking after the pictures of bad by RTSP failed, and is tried again") == 1


def test_sessions_that_cannot_be_ended_keep_nothing_else_from_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_rtspstream, "QUIET_S", 0.5)
    monkeypatch.setattr(_rtspserver, "TICK_S", 1)
    monkeypatch.setattr(_rtspserver.RtspServer, "_limit", lambda self: self.nothing_of_that_name)
    with serving(rates={"quiet": 25, "on": 25}) as streams:
        streams.sources = ("on",)
        until(lambda: not streams.sink.streams["quiet"].served, "the end of a stream")
    assert caplog.text.count("limiting connections of RTSP failed") == 1


def test_an_encoder_that_breaks_is_said_and_begun_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    x264 = next(encoder for encoder in ENCODERS if encoder.name == "x264enc")
    breaking = x264._replace(feed="identity error-after=20 ! videoconvert")
    monkeypatch.setattr("edge_runtime.sinks._gstencoders.ENCODERS", (breaking,))
    with serving("/live?encoder=x264enc") as streams:
        url, stream = f"{streams.sink.url}/live", streams.sink.streams["cam"]
        watch_to_its_end(url)
        until(lambda: "the pictures of cam by RTSP broke" in caplog.text, "a word")
        assert pictures(url, 5) and stream.encoders == 2


@pytest.mark.parametrize("where", ["0.0.0.0", "[::]", "192.0.2.1"])
def test_others_need_a_password(where: str) -> None:
    with pytest.raises(UsageError, match="need a user and a password") as caught:
        sinks.open(f"rtsp://{where}:8554")
    assert "env:" in str(caught.value.hint)


def test_a_wrong_password_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{PASSWORD}\n", encoding="utf-8")
    monkeypatch.setenv("RTSP_PASSWORD", PASSWORD)
    with serving(f"/live?password=@{tmp_path}/key", user="anna@") as streams:
        place = f"{streams.sink.url}/live"
        for wrong in ("", "anna:Quince-0815@", f"bert:{PASSWORD}@"):
            with pytest.raises(av.error.FFmpegError):
                pictures(place.replace("//", f"//{wrong}"), 1)
        assert streams.sink.streams["cam"].encoders == 0
        assert pictures(place.replace("//", f"//anna:{PASSWORD}@"), 1)
        said = f"{streams.sink.target} {sinks.note(streams.sink)}"
    assert PASSWORD not in said and "asks for user and password" in said
    with pytest.raises(UsageError, match="needs user and password"):
        sinks.open("rtsp://127.0.0.1:8554?password=env:RTSP_PASSWORD")
    with pytest.raises(UsageError, match="written out"):
        sinks.open(f"rtsp://anna@127.0.0.1:8554?password={PASSWORD}")


def test_an_address_that_is_taken_or_elsewhere_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTSP_PASSWORD", PASSWORD)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        with pytest.raises(SinkError, match=f"cannot be served on 127.0.0.1:{other.getsockname()[1]}") as caught:
            sinks.open(f"rtsp://127.0.0.1:{other.getsockname()[1]}/live")
    assert "another port" in str(caught.value.hint) and "MediaMTX" in str(caught.value.hint)
    with pytest.raises(SinkError, match=r"cannot be served on 192\.0\.2\.1"):
        sinks.open("rtsp://anna@192.0.2.1:8554?password=env:RTSP_PASSWORD")


@pytest.mark.parametrize(
    ("query", "said"), [("encoder=none", "encoder is 'none'"), ("fps=0", "fps is '0'"), ("keys=1", "unknown 'keys'")]
)
def test_options_that_make_no_sense_are_refused(query: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        sinks.open(f"rtsp://127.0.0.1:8554?{query}")
    assert caught.value.hint


def test_without_the_server_of_gstreamer_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(f"no {name}")

    _rtspserver.load_library.cache_clear()
    monkeypatch.setattr(_rtspserver, "import_module", absent)
    with pytest.raises(BackendUnavailable, match="no RTSP server of GStreamer") as caught:
        sinks.open("rtsp://127.0.0.1:8554")
    assert "gir1.2-gst-rtsp-server-1.0" in str(caught.value.hint)


def test_at_the_end_nothing_is_left() -> None:
    def left() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    counts = []
    for _ in range(4):
        with serving("/live") as streams, watching(f"{streams.sink.url}/live") as found:
            next(found)
            streams.stop()
            streams.sink.close()
            assert streams.sink.streams["cam"].feed is None
        del streams, found
        counts.append(left())
    until(lambda: left() <= counts[0], f"what a viewer needed, after {counts}")


def test_the_end_waits_once_for_all_encoders_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "END_S", 0.1)
    waits: List[float] = []

    def hang(timeout_s: float) -> None:
        waits.append(timeout_s)
        threading.Event().wait(timeout_s)

    with serving("/live/") as streams:
        streams.sink.streams.update({str(number): SimpleNamespace(wait=hang) for number in range(50)})
        streams.stop()
        streams.sink.close()
    assert len(waits) >= 50 and sum(waits[:50]) < 1


def test_of_a_pipeline(tmp_path: Path) -> None:
    """Detection goes on whoever watches."""
    port = free_port()
    pipeline = Pipeline(open_detector(tmp_path), Numbers(10**6, name="cam"), [f"rtsp://127.0.0.1:{port}"])
    run = threading.Thread(target=pipeline.run)
    run.start()
    until(lambda: pipeline.monitor.frames > 2, "the first frames")
    with watching(f"rtsp://127.0.0.1:{port}/cam") as shown:
        assert next(shown).shape == (48, 64, 3)
        before = pipeline.monitor.frames
        until(lambda: pipeline.monitor.frames > before, "further ones")
        assert next(image for image in shown if image.max() > 100).shape == (48, 64, 3), "a box on black"
    pipeline.stop()
    run.join()
