"""RTSP cameras for real, on the loopback: they die, freeze, come back with other pictures, are joined at any time."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Iterator, List

import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.imaging import pyav
from edge_runtime.sources import SourceOptions, _behind, _gst, _live, gstreamer, rtsp
from edge_runtime.types import Frame
from tests.loop.parts import descriptors, threads, within
from tests.sources.rtsp_server import RtspServer, h264, launch
from tests.sources.stamped import StampedCamera, taken_s

pytestmark = pytest.mark.skipif(
    pyav.reason() is not None or gstreamer.available() is not None, reason="the server needs GStreamer, the reader PyAV"
)


@pytest.fixture(autouse=True)
def encoder() -> None:
    if not _gst.has("x264enc"):
        pytest.skip("the server needs x264enc")


@pytest.fixture
def serve() -> Iterator[Callable[..., RtspServer]]:
    running: List[RtspServer] = []

    def start(**how: object) -> RtspServer:
        running.append(RtspServer(launch(**how)))
        return running[-1]

    yield start
    for server in running:
        server.thaw()
        server.stop()


class Reading:
    """Reads a source in a thread, and keeps what is known of its frames."""

    def __init__(self, url: str) -> None:
        self.source = sources.open(url, SourceOptions(wait=True))
        self.sizes: List[tuple] = []
        self.first: List[Frame] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for frame in iter(self.source.read, None):
            self.sizes.append(frame.image_wh)
            self.first = [*self.first, frame][:2]

    def becomes(self, *names: str) -> bool:
        return within(15, lambda: self.source.state.name in names)

    def close(self) -> None:
        self.source.close()
        self._thread.join(5)
        assert not self._thread.is_alive()


@pytest.fixture
def reading() -> Iterator[Callable[[str], Reading]]:
    begun: List[Reading] = []
    yield lambda url: begun.append(Reading(url)) or begun[-1]
    for each in begun:
        each.close()


class Slow:
    """A decoder with 5 pictures a second."""

    def __init__(self, codec: Any) -> None:
        self._codec = codec

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codec, name)

    def decode(self, packet: Any) -> Any:
        time.sleep(0.2)
        return self._codec.decode(packet)


def test_killed_and_back_with_pictures_of_another_size(serve, reading) -> None:
    server = serve()
    stream = reading(server.url)
    assert stream.becomes("live")
    held = None
    for size in ("640x360", "320x240", "640x360"):
        server.stop()
        assert stream.becomes("lost", "stalled")
        server.pipeline = launch(size=size)
        server.start()
        assert stream.becomes("live")
        wanted = tuple(map(int, size.split("x")))
        assert within(5, lambda wanted=wanted: stream.sizes[-1] == wanted) and size in stream.source.description
        held = held or (len(descriptors()), threads())
        assert (len(descriptors()), threads()) == held, "each connection is given back"
    assert stream.source.state.reconnects == stream.source.restarts == 3


def test_another_size_in_one_connection(reading) -> None:
    camera = StampedCamera(15, "320x240")
    stream = reading(camera.url)
    assert stream.becomes("live")
    for size in ((480, 270), (320, 240)):
        camera.resize("{}x{}".format(*size))
        assert within(10, lambda size=size: stream.sizes[-1] == size)
        assert stream.source.description.startswith("{}x{} h264".format(*size))
    assert stream.source.restarts == stream.source.state.broken == 0
    stream.close()
    camera.stop()


def test_a_decoder_that_is_slower_than_the_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves pictures out up to a key picture. Else its results would be of an ever older past."""
    monkeypatch.setattr(_behind, "BEHIND_S", 0.5)
    camera = StampedCamera(30, "320x240")
    source = sources.open(camera.url)
    source._apart.capture._codec = Slow(source._apart.capture._codec)
    until_s, late_s = time.monotonic() + 6, 0.0
    while time.monotonic() < until_s:
        image = source.read().image
        late_s = time.monotonic() - taken_s(image, time.monotonic())
    assert late_s < 3 and source.state.stale > 10 and source.state.broken == source.restarts == 0
    source.close()
    camera.stop()


def test_frozen_for_a_while(serve, reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server kept back meanwhile is left out."""
    monkeypatch.setattr(_live, "QUIET_S", 0.5)
    server = serve()
    stream = reading(server.url)
    assert stream.becomes("live") and within(5, lambda: len(stream.sizes) > 30)
    server.freeze()
    assert stream.becomes("stalled")
    time.sleep(2)
    server.thaw()
    assert stream.becomes("live") and within(5, lambda: stream.source.state.stale > 20)
    assert stream.source.state.stalls == 1 and stream.source.state.reconnects == 0


def test_frozen_for_longer_than_the_limit(serve, reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_live, "QUIET_S", 0.3)
    monkeypatch.setattr(rtsp, "TIMEOUT_MS", 1000)
    server = serve()
    stream = reading(server.url)
    assert stream.becomes("live")
    server.freeze()
    assert stream.becomes("lost") and stream.source.state.reason == "no answer in time"
    server.thaw()
    assert stream.becomes("live") and stream.source.state.reconnects == 1


@pytest.mark.parametrize("more", ["tune=zerolatency bframes=0", "bframes=2 b-adapt=false"])
def test_joined_between_two_key_pictures(serve, reading, more: str) -> None:
    """The first picture is as good as the next ones: none is grey, torn, or of before the key picture."""
    server = serve(encoder=h264(45, more))
    first = reading(server.url)
    assert first.becomes("live") and within(5, lambda: len(first.sizes) > 10)
    second = reading(server.url)  # the server's one encoder is between two key pictures
    assert second.becomes("live") and within(5, lambda: len(second.first) == 2)
    one, other = (frame.image.astype(int) for frame in second.first)
    assert np.abs(one - other).mean() < 2 and one.max() > 200 and np.median(one) < 30, "a white ball on black"
    assert second.source.state.broken == 0
