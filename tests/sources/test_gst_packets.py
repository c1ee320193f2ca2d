"""Encoded pictures of GStreamer's pipelines, from before the decoder."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from edge_runtime import sources
from edge_runtime.imaging import gst
from edge_runtime.sources import SourceOptions, gstreamer
from edge_runtime.sources._annexb import START, Lengths
from edge_runtime.types.packets import PacketRing
from tests.sources.clips import write_stamped
from tests.sources.rtsp_server import H265, JPEG, RtspServer, launch

av = pytest.importorskip("av")
from tests.sinks.played import Played, files, frames, levels, listed, write_source  # noqa: E402

real = pytest.mark.skipif(gstreamer.available() is not None, reason=str(gstreamer.available()))


@real
def test_a_clip_of_a_file_is_what_was_encoded(tmp_path: Path) -> None:
    clip = write_source(tmp_path)
    played = Played(f"gst+file://{clip}", f"clips:{tmp_path}/c?before=3&after=2")
    first_s = played.source.read().timestamp_s
    played.play(8.5 + first_s)
    played.tell("new")
    played.play(10 + first_s)
    played.tell("end")
    played.play(20)
    played.tell("counts")
    played.close()
    (file,) = files(tmp_path / "c")
    assert file.suffix == ".mp4" and levels(file) == frames(50, 121)
    assert listed(tmp_path / "c")[file.name]["seconds"] == pytest.approx(7.0)


@real
@pytest.mark.parametrize(("encoder", "codec"), [("", "h264"), (H265, "hevc"), (JPEG, "mjpeg")])
def test_a_clip_of_a_stream(encoder: str, codec: str, tmp_path: Path) -> None:
    if not gst.has((encoder or "x264enc").split()[0]):
        pytest.skip("the server needs the encoder")
    server = RtspServer(launch(encoder=encoder))
    played = Played(f"gst+{server.url}", f"clips:{tmp_path}/c?before=1&after=0.2", keep=1.0)
    played.happens(45, 15)
    server.stop()
    (file,) = files(tmp_path / "c")
    with av.open(str(file)) as container:
        assert container.streams.video[0].codec_context.name == codec
        pictures = list(container.decode(video=0))
    assert pictures[0].key_frame and 35 <= len(pictures) <= 75


@real
def test_a_branch_in_a_pipeline_of_ones_own() -> None:
    if not (gst.has("x264enc") and gst.has("avdec_h264")):
        pytest.skip("needs x264enc and avdec_h264")
    coded = "x264enc key-int-max=5 tune=zerolatency ! h264parse ! tee name=t"
    test = "videotestsrc num-buffers=20 ! video/x-raw,format=I420,width=64,height=48,framerate=30/1"
    target = f"gst:{test} ! {coded} ! queue ! avdec_h264 ! videoconvert ! appsink t. ! queue ! appsink name=packets"
    ring = PacketRing(None)
    with closing(sources.open(target, SourceOptions(packets=ring))) as source:
        assert len(list(iter(source.read, None))) == 20
    kept = ring.after(0)
    assert not ring.wants_frames and len(kept) == 20
    assert [entry.packet.key for entry in kept] == [index % 5 == 0 for index in range(20)]
    assert len(list(iter(sources.open(target).read, None))) == 20, "and nobody who does not want them waits for it"


@real
def test_a_file_of_another_codec_is_read_all_the_same(tmp_path: Path) -> None:
    ring = PacketRing(None)
    clip = write_stamped(tmp_path / "m.mp4", range(0, 1000, 40))
    with closing(sources.open(f"gst+file://{clip}", SourceOptions(packets=ring))) as source:
        assert len(list(iter(source.read, None))) == 25
    assert ring.wants_frames and len(ring.after(0)) == 25


@real
def test_a_stream_with_b_frames_and_no_times_of_decoding_is_encoded_anew() -> None:
    if not (gst.has("x264enc") and gst.has("avdec_h264")):
        pytest.skip("needs x264enc and avdec_h264")
    coded = "x264enc key-int-max=15 bframes=2 b-adapt=false speed-preset=medium ! video/x-h264,profile=main"
    rtp = "rtph264pay ! application/x-rtp,media=video,clock-rate=90000,encoding-name=H264 ! rtpjitterbuffer latency=0"
    test = "videotestsrc num-buffers=40 ! video/x-raw,format=I420,width=64,height=48,framerate=30/1"
    shown = "queue ! avdec_h264 ! videoconvert ! appsink t. ! queue ! appsink name=packets"
    target, ring = f"gst:{test} ! {coded} ! {rtp} ! rtph264depay ! h264parse ! tee name=t ! {shown}", PacketRing(None)
    with closing(sources.open(target, SourceOptions(packets=ring))) as source:
        count = len(list(iter(source.read, None)))
    own = ring.after(0)[-1].part
    assert ring.wants_frames and own.codec == "mjpeg"
    assert count - 5 < len([entry for entry in ring.after(0) if entry.part is own]) <= count


@real
def test_where_the_branch_does_not_work_the_pipeline_without_it_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("edge_runtime.sources._gstpackets.CODED", "video/x-vp8")
    ring = PacketRing(None)
    with closing(sources.open(f"gst+file://{write_source(tmp_path)}", SourceOptions(packets=ring))) as source:
        assert source.read() is not None
    assert ring.wants_frames and len(ring.after(0)) == 1


def test_the_branch_is_before_the_decoder_and_only_if_somebody_wants_it() -> None:
    def text(target: str, ring: object) -> str:
        return gstreamer.pipeline(target, SourceOptions(packets=ring), lambda name: False)

    branched = text("gst+v4l2://0", PacketRing(1.0))
    assert "framerate=30/1 ! tee name=coded ! queue ! jpegdec !" in branched
    assert branched.endswith(
        "appsink name=appsink max-buffers=1 drop=true sync=false coded. ! queue ! appsink name=packets"
    )
    for target in ("gst+v4l2://0", "gst+rtsp://camera/live", "gst+file:///a.mp4"):
        assert "coded" not in text(target, None) and "name=packets" in text(target, PacketRing(1.0))


AVC = bytes([1, 66, 0, 30, 0xFF, 0xE1, 0, 2, 0x67, 7, 1, 0, 1, 0x68])
HEVC = bytes(21) + bytes([3, 2, 0xA0, 0, 1, 0, 1, 0x40, 0xA1, 0, 1, 0, 2, 0x42, 9])


@pytest.mark.parametrize(
    ("codec", "about", "sets"),
    [("h264", AVC, [b"\x67\x07", b"\x68"]), ("hevc", HEVC, [b"\x40", b"\x42\x09"])],
)
def test_lengths_become_start_codes(codec: str, about: bytes, sets: list) -> None:
    form = Lengths(codec, about)
    assert form.sets == b"".join(START + each for each in sets)
    assert form.with_starts(b"\0\0\0\1\x65\0\0\0\2\x41\x42") == START + b"\x65" + START + b"\x41\x42"
    with pytest.raises(ValueError, match="longer than what it is in"):
        form.with_starts(b"\0\0\0\5\x65")
    for end in range(len(about)):
        with pytest.raises((ValueError, IndexError)):
            Lengths(codec, about[:end]) and None
