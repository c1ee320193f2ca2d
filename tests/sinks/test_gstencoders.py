"""Encoders of GStreamer: those that are here encode without delay, those that are not are named."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Callable

import pytest

from edge_runtime.errors import BackendUnavailable, SinkError
from edge_runtime.imaging import gst
from edge_runtime.sinks import _gstencoders
from edge_runtime.sinks._gstencoders import AUTO, ENCODERS, HARDWARE, GstEncoder, choose

av = pytest.importorskip("av")
ABSENT = GstEncoder("noh264enc", "bitrate={bits}")
SOFTWARE = [encoder for encoder in ENCODERS if not encoder.hardware]


@pytest.fixture(autouse=True)
def library() -> None:
    try:
        gst.load_gst()
    except BackendUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda encoder: encoder.name)
def test_no_picture_waits_for_a_later_one_and_viewers_can_begin_soon(encoder: GstEncoder, tmp_path: Path) -> None:
    why = _gstencoders.fault(encoder)
    if why:
        pytest.skip(f"{encoder.name}: {why}")
    library = gst.load_gst()
    source = "videotestsrc num-buffers=35 ! video/x-raw,format=I420,width=320,height=240,framerate=30/1"
    file = f"video/x-h264,stream-format=byte-stream ! filesink location={tmp_path}/out.h264"
    pipeline = library.parse_launch(f"{source} ! {encoder.launch(400_000, 10)} ! {file}")
    pipeline.set_state(library.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(10**10, library.MessageType.EOS | library.MessageType.ERROR)
    pipeline.set_state(library.State.NULL)
    assert message is not None and message.type == library.MessageType.EOS
    with av.open(io.BytesIO((tmp_path / "out.h264").read_bytes()), format="h264") as container:
        frames = list(container.decode(video=0))
    kinds = [getattr(frame.pict_type, "name", frame.pict_type) for frame in frames]
    assert len(frames) == 35 and "B" not in kinds
    assert [number for number, frame in enumerate(frames) if frame.key_frame] == [0, 10, 20, 30]


def test_settings_that_this_version_does_not_have_are_left_out() -> None:
    text = GstEncoder("videoconvert", "n-threads=2 not-there={kbits}").launch(1_000_000, 30)
    assert text == "videoconvert ! videoconvert n-threads=2"


def test_the_processor_is_taken_by_a_said_choice_alone(
    monkeypatch: pytest.MonkeyPatch, board_tree: Callable[[str], Path]
) -> None:
    here = [encoder for encoder in SOFTWARE if not _gstencoders.fault(encoder)]
    if not here:
        pytest.skip("no encoder for the processor is here")
    monkeypatch.setattr(_gstencoders, "ENCODERS", (ABSENT, *here))
    assert choose(AUTO).encoder == here[0] and "on the processor" in choose(AUTO).note
    assert choose(AUTO).note.endswith("no hardware encoder works here")
    monkeypatch.setenv("EDGE_SYSROOT", str(board_tree("test-board")))
    assert choose(AUTO).note.endswith("(an Orin Nano has none)")
    with pytest.raises(SinkError, match="noh264enc: not installed") as caught:
        choose(HARDWARE)
    assert f"encoder={AUTO}" in str(caught.value.hint)


def test_one_that_is_here_but_cannot_encode_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (GstEncoder("identity", "error-after=1"), GstEncoder("videoconvert", "qos=perhaps"))
    monkeypatch.setattr(_gstencoders, "ENCODERS", broken)
    with pytest.raises(SinkError, match=r"identity: .+; videoconvert: .+") as caught:
        choose(AUTO)
    assert "gstreamer1.0-plugins-ugly" in str(caught.value.hint)
