"""Every source: shape and type, indexes from 0, the caller's buffer, None at the end and after close."""

from __future__ import annotations

import glob
import threading
import tracemalloc
from pathlib import Path
from typing import Callable, Dict, Iterator

import cv2
import numpy as np
import pytest

from edge_runtime import plugins, sources
from edge_runtime.errors import BackendUnavailable, UsageError
from edge_runtime.sources import Source, SourceOptions
from tests.sources.clips import picture, write_clip
from tests.sources.mjpeg import MjpegServer


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    running = MjpegServer()
    yield running
    running.stop()


def images(tmp_path: Path) -> str:
    for i in range(5):
        cv2.imwrite(str(tmp_path / f"{i}.png"), picture(i))
    return str(tmp_path)


@pytest.fixture
def targets(tmp_path: Path, server: MjpegServer) -> Dict[str, Callable[[], str]]:
    return {
        "image": lambda: images(tmp_path),
        "video": lambda: str(write_clip(tmp_path / "clip.mp4", 12, size_wh=(320, 240))),
        "demo": lambda: "demo",
        "synthetic": lambda: "synthetic://320x240?frames=7",
        "rtsp": lambda: server.url,
        "v4l2": lambda: "0",
        "gstreamer": lambda: "gst:videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=60/1",
    }


@pytest.fixture(params=plugins.names("sources"))
def source(request: pytest.FixtureRequest, targets: Dict[str, Callable[[], str]]) -> Iterator[Source]:
    assert request.param in targets, "a new source needs a target here"
    if request.param == "v4l2" and not glob.glob("/dev/video*"):
        pytest.skip("no camera here")
    try:
        opened = sources.open(targets[request.param]())
    except BackendUnavailable as error:
        pytest.skip(str(error))
    yield opened
    opened.close()


def test_frames_are_bgr_images_counted_from_zero(source: Source) -> None:
    frames = [source.read() for _ in range(4)]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    for frame in frames:
        assert frame.image.dtype == np.uint8 and frame.image.ndim == 3 and frame.image.shape[2] == 3
        assert frame.source == source.name
        assert (frame.path is not None) == hasattr(source, "_paths")
    assert len({frame.image.ctypes.data for frame in frames}) == 4
    assert np.all(np.diff([frame.timestamp_s for frame in frames]) > 0)


def test_ends_with_none_for_ever(source: Source) -> None:
    if source.live:
        pytest.skip("a live source has no end")
    frames = list(iter(source.read, None))
    assert len(frames) == source.frame_count and source.skipped == []
    assert source.read() is None and source.read() is None


def test_fills_the_callers_buffer_where_it_fits(source: Source) -> None:
    expected = source.read().image
    buffer = np.empty_like(expected)
    buffer.fill(7)
    frame = source.read(buffer)
    assert frame.pixels is None or np.all(buffer == 7), "an image that nobody asked for"
    assert frame.image is buffer
    wrong = np.empty((3, 5, 3), np.uint8)
    assert source.read(wrong).image.shape == expected.shape


def test_the_buffer_holds_the_frame(source: Source) -> None:
    """Dirty buffers do not shine through: the same frame in a buffer of noise and without one."""
    if source.live:
        pytest.skip("a live source does not repeat itself")
    without = sources.open(source.name)
    for _ in range(4):
        expected = without.read().image
        noise = np.random.default_rng(0).integers(0, 256, expected.shape, np.uint8)
        np.testing.assert_array_equal(source.read(noise).image, expected)
    without.close()


def test_reading_into_a_buffer_allocates_no_image(source: Source) -> None:
    if hasattr(source, "_paths"):
        pytest.skip("decoding an image allocates")
    buffer = source.read().image
    source.read(buffer)
    tracemalloc.start()
    source.read(buffer)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < buffer.nbytes / 2


def test_pixels_are_those_of_the_image_and_stay(source: Source) -> None:
    """A frame in hand is not written over by later ones, nor by closing. Nobody can write into a decoder's memory."""
    first = source.read()
    if first.pixels is None:
        pytest.skip("it has only images")
    kept = [plane.copy() for plane in first.pixels.planes]
    later = [source.read() for _ in range(6)]
    assert (first.pixels.width, first.pixels.height) == first.image_wh == first.image.shape[1::-1]
    source.close()
    for frame in (first, *later):
        np.testing.assert_array_equal(frame.image, frame.pixels.bgr())
        assert not any(plane.flags.writeable and not plane.flags.owndata for plane in frame.pixels.planes)
    for plane, copy in zip(first.pixels.planes, kept):
        np.testing.assert_array_equal(plane, copy)


def test_media_time_begins_at_zero(source: Source) -> None:
    first, second = source.read(), source.read()
    assert source.live or 0 == first.timestamp_s < second.timestamp_s


def test_close_may_be_repeated_and_read_gives_none(source: Source) -> None:
    source.read()
    source.close()
    source.close()
    assert source.read() is None and source.read() is None


def test_close_from_another_thread_ends_a_reader(source: Source) -> None:
    started, ended = threading.Event(), threading.Event()

    def read_on() -> None:
        while source.read() is not None:
            started.set()
        ended.set()

    threading.Thread(target=read_on, daemon=True).start()
    assert started.wait(5)
    source.close()
    assert ended.wait(5)


def test_describes_itself(source: Source) -> None:
    assert source.description and "\n" not in source.description
    assert source.fps is None or 0 < source.fps <= 1000


@pytest.mark.parametrize("name", ["image", "video", "demo"])
def test_loops_with_a_running_index_and_rising_time(name: str, targets: Dict[str, Callable[[], str]]) -> None:
    try:
        source = sources.open(targets[name](), SourceOptions(loop=True))
    except BackendUnavailable as error:
        pytest.skip(str(error))
    count = {"image": 5, "video": 12, "demo": 300}[name]
    buffer = source.read().image
    first = buffer.copy()
    frames = [source.read(buffer) for _ in range(count)]
    assert [frame.index for frame in frames] == list(range(1, count + 1))
    assert np.all(np.diff([frame.timestamp_s for frame in frames]) > 0)
    np.testing.assert_array_equal(frames[-1].image, first)
    assert source.frame_count is None
    assert name == "demo" or source.restarts == 1, "no object is tracked from the end to the beginning"
    source.close()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nofile", "no such file: 'nofile'"),
        ("notes.xyz", "'notes.xyz' is not named as a picture or a video"),
        ("foo://user:pass@host/x", "no such source: 'foo://host/x'"),
    ],
)
def test_what_is_no_source_is_told_in_the_user_s_words(
    target: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.xyz").write_text("", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        sources.open(target)
    assert str(caught.value) == said and caught.value.hint
