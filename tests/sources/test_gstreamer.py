"""GStreamer for real: test pictures, files, a loopback RTSP server that dies; pipelines of a Jetson as text."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.errors import BackendUnavailable, SourceError, UsageError
from edge_runtime.imaging import gst
from edge_runtime.sources import SourceOptions, _gst, _gstbuffer, gstreamer
from tests.loop.parts import within
from tests.sources.clips import write_clip
from tests.sources.rtsp_server import RtspServer

real = pytest.mark.skipif(gstreamer.available() is not None, reason=str(gstreamer.available()))


def needs(*elements: str) -> None:
    missing = [element for element in elements if not gst.has(element)]
    if missing:
        pytest.skip(f"needs the GStreamer elements {', '.join(missing)}")


JETSON = {"nvarguscamerasrc", "nvvidconv", "nvv4l2decoder"}


def text(target: str, jetson: bool = True, **options) -> str:
    return gstreamer.pipeline(target, SourceOptions(**options), lambda name: jetson and name in JETSON)


def test_a_csi_camera_is_converted_and_shrunk_by_the_vic():
    assert text("csi://1", size_wh=(1280, 720), fps=60) == (
        "nvarguscamerasrc sensor-id=1 ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=60/1 ! "
        "nvvidconv ! video/x-raw,format=NV12 ! "
        "appsink name=appsink max-buffers=1 drop=true sync=false"
    )
    shrunk = text("csi:0", shrink_wh=(640, 640))
    assert "nvvidconv ! video/x-raw,format=NV12,width=[1,640],height=[1,640],pixel-aspect-ratio=1/1 !" in shrunk
    with pytest.raises(SourceError, match="no CSI camera") as caught:
        text("csi://0", jetson=False)
    assert "argus_socket" in str(caught.value.hint)


def test_hardware_where_there_is_some_and_else_the_elements_of_a_computer():
    assert "nvv4l2decoder mjpeg=1 ! nvvidconv" in text("gst+v4l2:///dev/video2")
    assert "v4l2src device=/dev/video2 ! image/jpeg" in text("gst+v4l2://2") and "jpegdec" in text(
        "gst+v4l2://2", False
    )
    assert 'rtspsrc location="rtsp://camera/live" latency=200 ! decodebin' in text("gst+rtsp://camera/live")
    assert text('gst+file:///a "b".mp4', False).startswith('filesrc location="/a \\"b\\".mp4" ! decodebin ! videoconv')
    assert "drop=false" in text("gst+file:///a.mp4") and "drop=true" in text("gst+rtsp://camera/live")


def test_pipelines_of_ones_own():
    assert text("gst:videotestsrc").endswith("! appsink name=appsink max-buffers=1 drop=true sync=false")
    assert text("gst:videotestsrc ! appsink drop=false") == "videotestsrc ! appsink name=appsink drop=false"
    assert text("gst:videotestsrc ! appsink name=appsink") == "videotestsrc ! appsink name=appsink"


@pytest.mark.parametrize("target", ["gst:", "gst: ", "csi://x", "csi:", "gst+v4l2://", "gst+v4l2://x", "gst+file://"])
def test_targets_that_make_no_sense(target):
    with pytest.raises(UsageError) as caught:
        text(target)
    assert caught.value.hint


def test_without_gstreamer_the_way_to_it_is_said(monkeypatch):
    def absent(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(gst, "import_module", absent)
    gst.load_gst.cache_clear()
    with pytest.raises(BackendUnavailable, match="no GStreamer: No module named 'gi'") as caught:
        sources.open("gst:videotestsrc")
    assert "stream" in str(caught.value.hint) and gstreamer.available() is not None
    gst.load_gst.cache_clear()


@real
def test_rows_that_are_padded_come_out_straight():
    """A white half: 321 pixels are 963 bytes, rows have 964."""
    source = sources.open("gst:videotestsrc pattern=solid-color foreground-color=0xff0000ff ! "
                          "video/x-raw,width=321,height=50,framerate=30/1")  # fmt: skip
    image = source.read().image
    assert image.shape == (50, 321, 3) and source.live and source.fps == 30
    assert np.abs(image.astype(int) - [255, 0, 0]).max() <= 3, "blue, in every pixel"
    source.close()


@real
@pytest.mark.parametrize(("given", "form"), [
    ("NV12", "nv12"), ("I420", "i420"), ("Y42B", "yuv422p"), ("YUY2", "yuyv"), ("GRAY8", "gray8"), ("BGRx", "bgrx"),
    ("BGR", "bgr24"), ("AYUV", ""),
])  # fmt: skip
@pytest.mark.parametrize("size", ["width=320,height=240", "width=321,height=51"])
def test_pixels_as_the_pipeline_gives_them(given, form, size):
    """Dark orange, whatever the format and however its rows are padded."""
    target = f"gst:videotestsrc pattern=solid-color foreground-color=0xffc86432 ! video/x-raw,format={given},{size}"
    with closing(sources.open(target)) as source:
        frame = source.read()
    assert frame.pixels.format == (form or frame.pixels.format)
    expected = [0x32, 0x64, 0xC8] if given != "GRAY8" else [int(frame.pixels.planes[0][0, 0])] * 3
    image = frame.image[:, :-1] if form == "yuyv" else frame.image  # videotestsrc gives half a pair at an odd end
    assert np.abs(image.astype(int) - expected).max() <= 4


@real
@pytest.mark.parametrize(("size", "said", "matrix", "full"), [
    ("width=1280,height=720", "", "bt709", False), ("width=640,height=480", "", "bt601", False),
    ("width=640,height=480", ",colorimetry=bt709", "bt709", False),
    ("width=1280,height=720", ",colorimetry=bt601", "bt601", False),
    ("width=640,height=480", ",colorimetry=1:4:0:0", "bt601", True),
])  # fmt: skip
def test_matrix_and_range_are_those_of_the_caps(size, said, matrix, full):
    with closing(sources.open(f"gst:videotestsrc ! video/x-raw,format=NV12,{size}{said}")) as source:
        pixels = source.read().pixels
    assert (pixels.format, pixels.matrix, pixels.full_range) == ("nv12", matrix, full)


@real
def test_few_buffers_are_held_and_the_rest_copied():
    target = "gst:videotestsrc num-buffers=9 pattern=snow ! video/x-raw,format=NV12,width=64,height=48 ! appsink"
    with closing(sources.open(target)) as source:
        frames = [source.read() for _ in range(9)]
        kept = [frame.pixels.planes[0].copy() for frame in frames]
        assert len(source._capture._buffers._held) == _gstbuffer.KEPT
        assert [frame.pixels.planes[0].flags.owndata for frame in frames] == [False] * 3 + [True] * 6
    for frame, copy in zip(frames, kept):
        np.testing.assert_array_equal(frame.pixels.planes[0], copy)
    held = source._capture._buffers._held
    del frame, frames, copy
    assert len(held) == 0


@real
def test_a_format_that_we_do_not_know_is_named():
    with pytest.raises(SourceError, match="gives RGB16") as caught:
        sources.open("gst:videotestsrc ! video/x-raw,format=RGB16 ! appsink").read()
    assert "videoconvert" in str(caught.value.hint)


@real
def test_libraries_loaded_after_gstreamer_still_catch_their_exceptions():
    """GStreamer brings libunwind, under which OpenVINO ended the process where it was loaded second."""
    pytest.importorskip("openvino")
    root = Path(__file__).resolve().parents[2]
    code = (
        "from edge_runtime import Detector, sources; image = sources.open('gst:videotestsrc').read().image;"
        f"Detector.open({str(root / 'engines' / 'yolo_nano_voc_int8.onnx')!r})(image); print('fine')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=120, cwd=root)
    assert done.stdout == "fine\n", done.stderr[-1000:]


@real
def test_every_frame_of_a_file_and_the_same_pictures(tmp_path: Path):
    needs("avdec_mpeg4")
    clip = write_clip(tmp_path / "clip.mp4", 12)
    source, other = sources.open(f"gst+file://{clip}"), cv2.VideoCapture(str(clip))
    frames = list(iter(source.read, None))
    assert len(frames) == 12 and not source.live
    assert np.all(np.diff([frame.timestamp_s for frame in frames]) > 0)
    for frame in frames:
        assert np.abs(frame.image.astype(int) - other.read()[1]).mean() < 3
    assert source.read() is None


@real
def test_a_file_loops(tmp_path: Path):
    needs("avdec_mpeg4")
    source = sources.open(f"gst+file://{write_clip(tmp_path / 'clip.mp4', 5)}", SourceOptions(loop=True))
    frames = [source.read() for _ in range(12)]
    assert [frame.index for frame in frames] == list(range(12))
    assert np.all(np.diff([frame.timestamp_s for frame in frames]) > 0)
    source.close()


@real
@pytest.mark.parametrize(("given", "waiting", "live"), [
    ("", _gst.WAITING, False), ("drop=1", 1, True), ("drop=true max-buffers=3", 3, True), ("max-buffers=9", 9, False),
])  # fmt: skip
def test_an_appsink_of_ones_own_never_fills_the_memory(given, waiting, live):
    with closing(sources.open(f"gst:videotestsrc ! video/x-raw,format=BGR ! appsink {given}")) as source:
        sink = (source._apart.capture if live else source._capture)._sink
        assert (sink.get_property("max-buffers"), source.live) == (waiting, live)


@real
def test_frames_are_shrunk_to_fit():
    target = "gst:videotestsrc ! video/x-raw,width=1280,height=720 ! videoconvert ! appsink drop=true"
    with closing(sources.open(target.replace("! appsink", "! video/x-raw,format=BGR ! appsink"))) as source:
        assert source.read().image.shape[1] == 1280
    options = SourceOptions(shrink_wh=(640, 640))
    text = gstreamer.pipeline("gst+file:///x", options, lambda name: False)
    shrink = text.split(" ! ", 2)[2]
    capture = _gst.GstCapture(f"videotestsrc num-buffers=3 ! video/x-raw,width=1280,height=720 ! {shrink}", 5)
    assert capture.size_wh == (640, 360)
    capture.close()


@real
@pytest.mark.parametrize(
    ("target", "error", "said"),
    [
        ("gst:nonsense", UsageError, "no element"),
        ("gst:videotestsrc ! fakesink name=appsink", UsageError, "no appsink"),
        ("gst+file:///nothing.mp4", SourceError, "nothing.mp4"),
        ("gst+v4l2://77", SourceError, "/dev/video77"),
        ("gst+rtsp://user:secret@127.0.0.1:9/x", SourceError, "127.0.0.1:9"),
    ],
)
def test_what_cannot_be_opened_says_why_and_no_password(target, error, said):
    with pytest.raises(error, match=said) as caught:
        sources.open(target)
    assert caught.value.hint and "secret" not in f"{caught.value} {caught.value.hint}"


@real
def test_argus_failures_have_their_own_way_out(monkeypatch):
    monkeypatch.setattr(gstreamer, "BEGIN_S", 0.2)
    capture = _gst.GstCapture(f"videotestsrc num-buffers=1 ! video/x-raw,format=BGR ! {gstreamer.NEWEST}", 0.2)
    capture.error = "Failed to create CaptureSession"
    assert "nvargus-daemon" in str(capture.failure("csi://0").hint)
    capture.close()


@pytest.fixture
def server():
    if gstreamer.available() is not None:
        pytest.skip(str(gstreamer.available()))
    needs("x264enc", "avdec_h264", "rtspsrc")
    running = RtspServer()
    yield running
    running.stop()


def test_a_stream_is_read_dies_and_comes_back(server, monkeypatch):
    monkeypatch.setattr(gstreamer, "BEGIN_S", 3.0)
    source = sources.open(f"gst+{server.url}")
    assert source.live and source.read().image.shape == (240, 320, 3) and source.fps == 30
    server.stop()
    reader = threading.Thread(target=lambda: [None for _ in iter(source.read, None)])
    reader.start()
    assert within(10, lambda: source.state.name == "lost"), "an error on the bus is seen at once"
    server.start()
    assert within(10, lambda: source.state.name == "live") and source.restarts == 1
    source.close()
    reader.join(10)
    assert not reader.is_alive()


@pytest.mark.parametrize(("said", "pipeline", "argus"), [
    ("no route to host", 'rtspsrc location="rtsp://argus-cam/live" ! decodebin ! appsink', False),
    ("no frame", "nvarguscamerasrc sensor-id=0 ! appsink", True), ("no frame", "( nvarguscamerasrc ) ! appsink", True),
    ("(Argus) Error Timeout: (propagating from src/rpc/socket)", "fakesrc ! appsink", True),
])  # fmt: skip
def test_a_name_with_argus_in_it_is_no_argus(said, pipeline, argus):
    assert _gst.is_argus(said, pipeline) == argus
    assert ("nvargus-daemon" in _gst.failure("cam", pipeline, said).hint) == argus


@real
def test_argus_is_never_asked_in_a_tight_loop():
    capture = _gst.GstCapture(f"videotestsrc num-buffers=1 ! video/x-raw,format=BGR ! {gstreamer.NEWEST}", 0.2)
    assert not capture.slow
    capture.error = "Failed to create CaptureSession"
    assert capture.slow
    capture.close()
