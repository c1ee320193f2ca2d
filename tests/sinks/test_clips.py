"""clips:FOLDER: from before the event on, as it was encoded, and until after it."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import pytest

from edge_runtime import sinks, sources
from edge_runtime.errors import SinkError, UsageError
from edge_runtime.imaging import gst
from edge_runtime.imaging.remux import Encoded
from edge_runtime.sources import SourceOptions, gstreamer
from edge_runtime.types.packets import PacketRing
from tests.sources.rtsp_server import RtspServer
from tests.sources.ts_server import KEY, TsServer

av = pytest.importorskip("av")
from tests.sinks.played import Played, files, frames, levels, listed, story, write_source  # noqa: E402


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("clip"))


def test_a_clip_begins_before_the_event_and_ends_after_it(clip: Path, tmp_path: Path) -> None:
    played = Played(clip, f"clips:{tmp_path}/c?before=3&after=2")
    played.play(8.5)
    played.tell("new")
    played.play(10)
    played.tell("end")
    played.play(20)
    played.tell("counts")
    (file,) = files(tmp_path / "c")
    assert file.name == "r-cam-1-1.mp4"
    assert levels(file) == frames(50, 121), "from the key picture at 5.0 s, 3 s before, to 12.0 s, 2 s after"
    about = listed(tmp_path / "c")[file.name]
    assert about["begins_s"] == 5.0 and about["seconds"] == 7.0 and about["keys"] == ["r-cam-1"]
    assert played.sink.summary() == {"clips": 1, "removed": 0}
    played.close()


def test_objects_at_the_same_time_share_a_clip_and_later_ones_have_another(clip: Path, tmp_path: Path) -> None:
    played = Played(clip, f"clips:{tmp_path}/c?before=1&after=1")
    for at_s, key, kind in (
        (5, "a", "new"),
        (5.5, "b", "new"),
        (6, "a", "end"),
        (7, "b", "end"),
        (15, "d", "new"),
        (15, "d", "end"),
    ):
        played.play(at_s)
        played.tell(kind, key)
    played.play(20)
    played.close()
    first, second = files(tmp_path / "c")
    assert levels(first) == frames(40, 81) and levels(second) == frames(140, 161)
    assert listed(tmp_path / "c")[first.name]["keys"] == ["a", "b"]


def test_the_beginning_of_a_file_keeps_its_rate(clip: Path, tmp_path: Path) -> None:
    """Its first pictures are decoded before zero, because of those that are shown in another order."""
    played = Played(clip, f"clips:{tmp_path}/c?before=5&after=1")
    story(played, 2)
    played.play(6)
    played.close()
    with av.open(str(files(tmp_path / "c")[0])) as container:
        times = [float(packet.dts * packet.time_base) for packet in container.demux(video=0) if packet.size]
    assert times[0] == 0 and {round(later - sooner, 3) for sooner, later in zip(times, times[1:])} == {0.1}


def test_an_object_that_stays_does_not_fill_the_disk(clip: Path, tmp_path: Path) -> None:
    played = Played(clip, f"clips:{tmp_path}/c?before=1&after=1&longest=4")
    for at_s in range(3, 30):
        played.play(at_s)
        played.tell("new" if at_s == 3 else "update")
    played.close()
    assert [levels(file) for file in files(tmp_path / "c")] == [frames(20, 61)]


def test_a_source_that_begins_again_ends_its_clip(clip: Path, tmp_path: Path) -> None:
    played = Played(clip, f"clips:{tmp_path}/c?before=1&after=50")
    played.play(25)
    played.tell("new")
    played.source._loop = True
    played.play(33)
    played.tell("update")
    played.close()
    assert [levels(file) for file in files(tmp_path / "c")] == [frames(240, 300)]


def test_a_stream_that_comes_back_leaves_the_times_of_the_clip_before(clip: Path, tmp_path: Path) -> None:
    """What came last is written after the new beginning, whose clock is another one."""
    played = Played(clip, f"clips:{tmp_path}/c?before=1&after=50")
    played.play(5)
    played.ring.sync(5.0, 1005.0)
    played.time_s = 1005.0
    played.tell("new")
    played.tell("counts")
    played.time_s = 5.0
    played.play(6)
    played.ring.sync(6.0, 1006.0)
    played.ring.begin("h264", lambda first: b"")
    played.close()
    (about,) = listed(tmp_path / "c").values()
    assert about["begins_s"] == 1004.0 and about["seconds"] == pytest.approx(2.0, abs=0.3)


def test_a_source_that_was_removed_and_comes_back_has_clips_again(clip: Path, tmp_path: Path) -> None:
    played = Played(clip, f"clips:{tmp_path}/c?before=1&after=1")
    rings = {"cam": played.ring}
    played.sink.follow(rings)
    story(played, 5)
    played.source.close()
    del rings["cam"]
    played.tell("counts")
    assert played.sink.summary()["clips"] == 1, "nothing more comes, so it is finished"
    again = Played(clip, f"clips:{tmp_path}/unused")
    again.play(8)
    rings["cam"], played.time_s = again.ring, 8.0
    played.tell("new", "r-cam-2")
    played.close()
    again.close()
    assert [levels(file)[0] for file in files(tmp_path / "c")] == frames(40, 41) + frames(70, 71)


def test_of_a_live_stream(tmp_path: Path) -> None:
    """From the key picture before the second before the event, every picture, until after its end."""
    server = TsServer()
    played = Played(server.url, f"clips:{tmp_path}/c?before=1&after=0.2", keep=1.0)
    seen_s = played.happens(90, 30)
    server.stop()
    (file,) = files(tmp_path / "c")
    numbers = levels(file)
    first = next(index for index, at_s in enumerate(seen_s) if at_s >= seen_s[-1] - 1.0)
    begins = (first // KEY) * KEY
    assert numbers == frames(begins, begins + len(numbers)), "no picture is missing"
    with av.open(str(file)) as container:
        assert int.from_bytes(bytes(next(container.demux(video=0)))[:4], "big") > 1, "a length, and no start code"
    assert 90 + 5 <= begins + len(numbers) <= 120
    assert abs(listed(tmp_path / "c")[file.name]["begins_s"] - time.time()) < 60


def test_of_a_camera_of_rtsp(tmp_path: Path) -> None:
    if gstreamer.available() is not None or not gst.has("x264enc"):
        pytest.skip("the server needs GStreamer and x264enc")
    server = RtspServer()
    played = Played(server.url, f"clips:{tmp_path}/c?before=1&after=0.2", keep=1.0)
    played.happens(60, 15)
    server.stop()
    (file,) = files(tmp_path / "c")
    with av.open(str(file)) as container:
        pictures = list(container.decode(video=0))
    assert pictures[0].key_frame and 30 + 6 <= len(pictures) <= 30 + 15 + 15


def test_what_is_kept_is_bounded(clip: Path) -> None:
    ring = PacketRing(None, most_bytes=20_000)
    source = sources.open(str(clip), SourceOptions(packets=ring))
    for _ in iter(source.read, None):
        assert ring._bytes <= 20_000
        assert not ring._kept or ring._kept[0].packet.key
    assert ring.begin_of(29.0)[0] == 291 and ring.begin_of(0.0)[0] == ring._kept[0].number > 1


def test_a_clip_ends_where_pictures_were_forgotten(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """So no picture is decoded without those before it."""
    played = Played(clip, f"clips:{tmp_path}/c?before=1&after=1")
    played.play(5)
    played.tell("new")
    played.tell("counts")
    played.ring._most = 2500
    played.play(25)
    played.tell("update")
    played.tell("counts")
    assert played.sink.summary()["clips"] == 1 and "ends early" in caplog.text
    played.close()
    (file,) = files(tmp_path / "c")
    shown = levels(file)
    assert shown[:8] == frames(40, 48) and set(shown) <= set(frames(40, 60)), "the last ones may not be in order"
    assert listed(tmp_path / "c")[file.name]["cut"]


def test_old_pictures_are_forgotten_by_groups(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_runtime.types import packets

    now = [0.0]
    monkeypatch.setattr(packets, "monotonic", lambda: now[0])
    ring = PacketRing(2.0)
    source = sources.open(str(clip), SourceOptions(packets=ring))
    for frame in iter(source.read, None):
        now[0] = frame.timestamp_s
    kept = ring.after(0)
    assert kept[0].packet.key and kept[0].packet.at_s == pytest.approx(29.9 - 2 - packets.SLACK_S, abs=1.1)


@pytest.mark.parametrize("gone", [False, True])
def test_sources_without_pictures_are_named(gone: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    played = Played("synthetic://64x48?frames=5", f"clips:{tmp_path}/c")
    if gone:
        played.sink.follow({})
    played.play(0.0)
    played.tell("new")
    why = "was removed, or opened by the caller" if gone else "no pictures that a clip could show"
    assert "a clip of cam is lost" in caplog.text and why in caplog.text
    assert played.sink.summary()["clips_lost"] == 1 and why in played.sink.summary()["why"]
    played.close()
    assert not files(tmp_path / "c")


@pytest.mark.parametrize(
    ("options", "said"),
    [("before=-1", "before is '-1'"), ("bytes=lots", "bytes is 'lots'"), ("keep=1", "unknown key 'keep'")],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        sinks.open_events(f"clips:{tmp_path}/c?{options}")
    assert caught.value.hint


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SinkError, match="cannot be written"):
        sinks.open_events(f"clips:{tmp_path}/file")
    first = sinks.open_events(f"clips:{tmp_path}/c")
    with pytest.raises(UsageError, match="is being written"):
        sinks.open_events(f"clips:{tmp_path}/c")
    first.close()


def test_small_pictures_count_with_the_memory_that_they_take() -> None:
    ring = PacketRing(None, most_bytes=50_000)
    ring.begin("mjpeg", lambda first: b"header")
    for number in range(1000):
        ring._keep(Encoded(b"x", True, number, number, 1, Fraction(1, 25)))
    assert 0 < len(ring.after(0)) < 200
