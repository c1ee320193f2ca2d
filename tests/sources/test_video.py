"""Video files: every frame, media time, and each way in which a file can be broken."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from typing import Dict, List

import numpy as np
import pytest

from edge_runtime import sources
from edge_runtime.errors import SourceError
from edge_runtime.sources import Source, SourceOptions
from edge_runtime.types import Frame
from tests.sources.clips import number, picture, write_clip, write_cut_avi, write_stamped, write_trimmed
from tests.sources.web import FileServer

pytest.importorskip("av")
UNEVEN_MS = [0, 40, 90, 400, 1200, 1233, 1300, 2500, 2540, 4000]


def drain(source: Source) -> List[Frame]:
    """Every frame, read into one buffer; images are copied out."""
    buffer = np.empty((48, 64, 3), np.uint8)
    frames = []
    for frame in iter(lambda: source.read(buffer), None):
        frame.image = frame.image.copy()
        frames.append(frame)
    return frames


@pytest.mark.parametrize("suffix, fourcc", [(".mp4", "mp4v"), (".avi", "MJPG"), (".mkv", "mp4v"), (".mov", "mp4v")])
def test_every_frame_in_media_time(tmp_path: Path, suffix: str, fourcc: str) -> None:
    source = sources.open(str(write_clip(tmp_path / f"clip{suffix}", 30, fourcc, fps=12.5)))
    assert source.fps == 12.5 and source.frame_count == 30 and not source.live
    frames = drain(source)
    assert [number(frame.image) for frame in frames] == list(range(30))
    assert [frame.timestamp_s for frame in frames] == pytest.approx(np.arange(30) / 12.5, abs=1e-3)
    assert source.skipped == []


@pytest.mark.parametrize("name", ["car-detection.mp4", "one-by-one-person-detection.mp4"])
def test_shared_clips(shared: Path, name: str) -> None:
    source = sources.open(str(shared / "video" / name))
    buffer = np.empty((432, 768, 3), np.uint8)
    count = 0
    for frame in iter(lambda: source.read(buffer), None):
        assert frame.image is buffer and frame.index == count
        count += 1
    assert count == source.frame_count
    assert frame.timestamp_s == pytest.approx((count - 1) / source.fps, abs=1e-3)


def test_a_little_short_is_no_error(tmp_path: Path) -> None:
    """Headers are often a frame or two off."""
    source = sources.open(str(write_cut_avi(tmp_path / "short.avi", 100, 96)))
    assert source.frame_count == 96, "what it will give"
    assert len(drain(source)) == 96 and source.skipped == []


@pytest.mark.parametrize("whole_frames", [94, 50, 1])
def test_a_truncated_file_is_an_error_after_its_last_frame(tmp_path: Path, whole_frames: int) -> None:
    source = sources.open(str(write_cut_avi(tmp_path / "cut.avi", 100, whole_frames)))
    indexes = []
    with pytest.raises(SourceError, match=f"truncated: {whole_frames} of 100 frames"):
        for frame in iter(source.read, None):
            indexes.append(frame.index)
    assert indexes == list(range(whole_frames))
    assert source.read() is None and source.skipped == []


@pytest.mark.parametrize("left_bytes", [188 * 40 + 1, 188 * 60 + 100, 188 * 80 + 187])
def test_a_transport_stream_that_ends_inside_a_packet(tmp_path: Path, left_bytes: int) -> None:
    """It has no index: nothing else tells that something is missing."""
    write_clip(tmp_path / "whole.ts", 100, "mp4v")
    whole = (tmp_path / "whole.ts").read_bytes()
    assert len(drain(sources.open(str(tmp_path / "whole.ts")))) == 100
    (tmp_path / "cut.ts").write_bytes(whole[:left_bytes])
    source, count = sources.open(str(tmp_path / "cut.ts")), 0
    with pytest.raises(SourceError, match="is truncated: "):
        for _ in iter(source.read, None):
            count += 1
    assert 0 < count < 100 and len(whole) > left_bytes
    (tmp_path / "filled.ts").write_bytes(whole + bytes(4096))
    assert len(list(iter(sources.open(str(tmp_path / "filled.ts")).read, None))) == 100


@pytest.mark.parametrize("percent", [95, 60, 10])
def test_truncated_h264_with_its_index_in_front(shared: Path, tmp_path: Path, percent: int) -> None:
    whole = (shared / "video" / "car-detection.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * percent // 100])
    source = sources.open(str(tmp_path / "cut.mp4"))
    count = 0
    with pytest.raises(SourceError, match="is truncated"):
        for _ in iter(source.read, None):
            count += 1
    assert 0 < count < 0.95 * 377


def test_an_mp4_without_its_index_cannot_be_opened(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", 50).read_bytes()
    assert whole.rfind(b"moov") > len(whole) // 2, "this writer puts the index last"
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cannot be opened as a video"):
        sources.open(str(tmp_path / "cut.mp4"))


def test_index_but_no_readable_frame(shared: Path, tmp_path: Path) -> None:
    whole = (shared / "video" / "car-detection.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: whole.index(b"mdat") + 200])
    source = sources.open(str(tmp_path / "cut.mp4"))
    with pytest.raises(SourceError, match="no readable frame"):
        source.read()
    assert source.read() is None


@pytest.mark.parametrize("damage", [os.urandom, bytes], ids=["noise", "zeros"])
def test_a_break_in_the_middle_is_passed_over_and_counted(tmp_path: Path, damage) -> None:
    content = bytearray(write_clip(tmp_path / "clip.mp4", 50, noise=True).read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(content) // 20] = damage(len(content) // 20)
    (tmp_path / "broken.mp4").write_bytes(content)
    source = sources.open(str(tmp_path / "broken.mp4"))
    frames = list(iter(source.read, None))
    indexes = [frame.index for frame in frames]
    assert source.skipped, "the damage hit something"
    assert len(frames) + len(source.skipped) == 50 and indexes[0] == 0 and indexes[-1] == 49
    assert source.skipped[0] == f"frame {min(set(range(50)) - set(indexes))}: cannot be decoded"


def test_a_break_in_the_middle_of_h264(shared: Path, tmp_path: Path) -> None:
    content = bytearray((shared / "video" / "car-detection.mp4").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 100_000] = bytes(100_000)
    (tmp_path / "broken.mp4").write_bytes(content)
    source = sources.open(str(tmp_path / "broken.mp4"))
    frames = list(iter(source.read, None))
    assert len(source.skipped) >= 1 and len(frames) + len(source.skipped) == 377
    for frame in frames[-5:]:
        assert frame.timestamp_s == pytest.approx(frame.index / 12.5, abs=0.17)


@pytest.mark.parametrize("content", [b"", b"hello", os.urandom(50_000)], ids=["empty", "text", "noise"])
@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_garbage(tmp_path: Path, content: bytes, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"garbage{suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"cannot be opened|no readable frame"):
        sources.open(str(path)).read()
    assert capfd.readouterr().err == "", "OpenCV and FFmpeg keep quiet"


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        sources.open(str(tmp_path / "missing.mp4"))


@pytest.mark.parametrize("fps", [7.3, 0.5, 14.985, 25.0])
def test_the_rate_of_an_mp4_in_fragments(tmp_path: Path, fps: float) -> None:
    """As our own output is; the FFmpeg of OpenCV 4.8 reads two or three times the rate."""
    write_clip(tmp_path / "clip.ismv", 12, fps=fps).rename(tmp_path / "clip.mp4")
    source = sources.open(str(tmp_path / "clip.mp4"))
    assert source.fps == pytest.approx(fps, rel=1e-3) and source.frame_count == 12
    frames = drain(source)
    assert [number(frame.image) for frame in frames] == list(range(12))
    assert frames[11].timestamp_s == pytest.approx(11 / fps, rel=1e-2)


def test_a_name_that_is_no_utf8_is_opened_and_looped(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    os.rename(write_clip(tmp_path / "clip.mp4", 3), name)
    source = sources.open(os.fsdecode(name), SourceOptions(loop=True))
    assert source.name == os.fsdecode(name)
    assert [number(source.read().image) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    source.close()


@pytest.mark.parametrize("frames", [0, 5])
def test_closing_during_a_read_is_an_end_and_no_truncated_file(
    tmp_path: Path, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = sources.open(str(write_clip(tmp_path / "clip.mp4", 30)))
    for _ in range(frames):
        assert source.read() is not None
    monkeypatch.setattr(source._reader, "read", source.close)  # by another thread, just now
    assert source.read() is None
    assert source.read() is None


@pytest.mark.parametrize("start_ms", [0, 5000, 3_600_000])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_times_are_those_of_the_file_from_its_first_frame(tmp_path: Path, suffix: str, start_ms: int) -> None:
    """At a rate that varies, whatever rate and length the container states."""
    clip = write_stamped(tmp_path / f"clip{suffix}", [start_ms + at for at in UNEVEN_MS], rate=30)
    source = sources.open(str(clip))
    frames = list(iter(source.read, None))
    assert [frame.timestamp_s for frame in frames] == pytest.approx(np.array(UNEVEN_MS) / 1000, abs=2e-3)
    assert source.fps == pytest.approx(9 / 4.0, rel=0.01) and source.frame_count == 10


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
@pytest.mark.parametrize("how", [{}, {"ranges": False}, {"ranges": False, "length": False}], ids=str)
def test_a_file_on_a_web_server_is_whole(tmp_path: Path, suffix: str, how: Dict[str, bool]) -> None:
    options = {"movflags": "faststart"} if how and suffix == ".mp4" else {}
    clip = write_stamped(tmp_path / f"clip{suffix}", range(0, 1200, 40), options=options)
    server = FileServer(clip.read_bytes(), **how)
    try:
        source = sources.open(f"{server.address}clip{suffix}")
        assert len(list(iter(source.read, None))) == 30 and not source.live
    finally:
        server.stop()


def test_a_web_server_that_ends_early_or_gives_no_parts(tmp_path: Path) -> None:
    early = write_stamped(tmp_path / "clip.mkv", range(0, 1200, 40)).read_bytes()
    index_last = write_clip(tmp_path / "clip.mp4", 30, noise=True, size_wh=(320, 240)).read_bytes()
    for content, how, fact in (
        (early, {"sent": 0.6}, "is truncated"),
        (index_last, {"ranges": False, "length": False}, "has no readable frame"),
    ):
        server = FileServer(content, **how)
        try:
            with pytest.raises(SourceError, match=fact):
                list(iter(sources.open(f"{server.address}clip.mkv").read, None))
        finally:
            server.stop()


def test_the_number_of_frames_at_a_rate_that_varies_late(tmp_path: Path) -> None:
    clip = write_stamped(tmp_path / "clip.mp4", [*range(0, 48_000, 400), *range(48_000, 52_800, 40)])
    source = sources.open(str(clip))
    assert source.frame_count == len(list(iter(source.read, None))) == 240 and source.fps == pytest.approx(2.5)


def test_what_a_browser_records(tmp_path: Path) -> None:
    """A MediaRecorder writes WebM without a rate and a length, whose players then see 1000 fps."""
    clip = write_stamped(tmp_path / "clip.webm", [66 * i for i in range(30)], 1000, "libvpx", options={"live": "1"})
    source = sources.open(str(clip))
    frames = list(iter(source.read, None))
    assert source.fps == pytest.approx(1 / 0.066, rel=1e-3) and len(frames) == 30
    assert frames[-1].timestamp_s == pytest.approx(29 * 0.066, abs=2e-3)


def test_a_loop_goes_on_where_the_last_frame_ended(tmp_path: Path) -> None:
    clip = write_stamped(tmp_path / "late.mkv", [5000 + 100 * i for i in range(4)])
    source = sources.open(str(clip), SourceOptions(loop=True))
    frames, restarts = [], []
    for _ in range(10):
        frames.append(source.read())
        restarts.append(source.restarts)
    assert [number(frame.image) for frame in frames] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert restarts == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert [frame.timestamp_s for frame in frames] == pytest.approx(np.arange(10) / 10, abs=1e-3)
    source.close()


NAMES = (
    "2024-11-14T22:57:44+02:00.mp4", "%03d.mp4", "100%25.mp4", "file:a.mp4", "a\nb.mp4", "concat:a|b.mp4", "gst:a.mp4",
    "env:a.mp4", "@a.mp4", "camera:0.mp4", "[ab].mp4", "-.mp4", "a?b#c.mp4",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_read_as_nothing_else(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mp4", 3).rename(tmp_path / name)
    assert len(list(iter(sources.open(name).read, None))) == 3


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n", "ffconcat version 1.0\nfile other.mp4\n"]
)
def test_a_list_of_files_is_no_video(tmp_path: Path, text: str) -> None:
    write_clip(tmp_path / "other.mp4", 3)
    (tmp_path / "list.mp4").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match="cannot be opened as a video"):
        sources.open(str(tmp_path / "list.mp4"))


def test_a_title_that_is_no_utf8(tmp_path: Path) -> None:
    clip = write_stamped(tmp_path / "clip.mkv", range(0, 200, 40))
    content = clip.read_bytes()
    assert content.count(b"Lavf") > 1
    clip.write_bytes(content.replace(b"Lavf", b"L\xe9\xffv"))
    assert len(list(iter(sources.open(str(clip)).read, None))) == 5


@pytest.mark.parametrize(
    "options",
    [{}, {"movflags": "frag_keyframe+empty_moov+default_base_moof"}, {"movflags": "faststart"}],
    ids=["mkv", "fragments", "index first"],
)
@pytest.mark.parametrize("part", [0.98, 0.6])
def test_what_ends_inside_a_part_is_truncated(tmp_path: Path, options, part: float) -> None:
    clip = write_stamped(tmp_path / ("clip.mp4" if options else "clip.mkv"), range(0, 4000, 40), options=options)
    assert len(list(iter(sources.open(str(clip)).read, None))) == 100
    whole = clip.read_bytes()
    clip.write_bytes(whole[: int(len(whole) * part)])
    source, count = sources.open(str(clip)), 0
    with pytest.raises(SourceError, match="is truncated: it ends inside "):
        for _ in iter(source.read, None):
            count += 1
    assert 0 < count <= 100


def test_sound_that_goes_on_longer_is_no_missing_video(tmp_path: Path) -> None:
    import av

    for suffix in (".mkv", ".mp4", ".flv"):
        path = tmp_path / f"clip{suffix}"
        with av.open(str(path), "w") as container:
            video, sound = (
                container.add_stream("mpeg4" if suffix != ".flv" else "flv", rate=25),
                container.add_stream("aac", rate=48000),
            )
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            for i in range(20):
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture(i), format="bgr24")))
            container.mux(video.encode())
            for i in range(100):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                silence.sample_rate, silence.pts = 48000, 1024 * i
                container.mux(sound.encode(silence))
            container.mux(sound.encode())
        assert len(list(iter(sources.open(str(path)).read, None))) == 20


def test_an_avi_whose_frames_refer_to_later_ones(tmp_path: Path) -> None:
    """It states no times, and FFmpeg guesses some that go back and forth."""
    clip = write_stamped(tmp_path / "clip.avi", range(0, 1200, 40), codec="libx264", x264_params="bframes=3")
    frames = list(iter(sources.open(str(clip)).read, None))
    assert [frame.timestamp_s for frame in frames] == pytest.approx(np.arange(30) / 25, abs=1e-3)
    assert [number(frame.image) for frame in frames] == list(range(30))


def test_a_trimmed_file_is_whole(tmp_path: Path) -> None:
    source = sources.open(str(write_trimmed(tmp_path / "clip.mp4")))
    frames = list(iter(source.read, None))
    assert [number(frame.image) for frame in frames] == list(range(10, 30))
    assert [frame.timestamp_s for frame in frames] == pytest.approx(np.arange(20) / 25, abs=1e-3)
    assert source.skipped == [] and source.frame_count == 20


def test_a_last_picture_that_stays_is_no_missing_video(tmp_path: Path) -> None:
    """Recorders of screens write none while nothing moves, and state how long they ran."""
    clip = write_stamped(tmp_path / "clip.mkv", range(0, 1200, 40))
    content = clip.read_bytes()
    assert content.count(b"00:00:01.") == 1
    clip.write_bytes(content.replace(b"00:00:01.", b"00:05:01."))
    source = sources.open(str(clip))
    assert source.length_s > 300 and len(list(iter(source.read, None))) == 30


def test_a_file_whose_first_frames_have_no_times(tmp_path: Path) -> None:
    options = {"avoid_negative_ts": "disabled"}
    clip = write_stamped(tmp_path / "clip.mkv", range(-400, 800, 40), codec="libx264", options=options)
    times = [frame.timestamp_s for frame in iter(sources.open(str(clip)).read, None)]
    assert times == pytest.approx(np.arange(30) / 25, abs=2e-3)


def test_the_picture_of_a_cover_is_not_the_video(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        cover, video = container.add_stream("mjpeg", rate=25), container.add_stream("mpeg4", rate=25)
        cover.pix_fmt, video.pix_fmt = "yuvj420p", "yuv420p"
        (cover.width, cover.height), (video.width, video.height) = (200, 100), (64, 48)
        for stream, size_wh, count in ((cover, (200, 100), 1), (video, (64, 48), 9)):
            for i in range(count):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(i, size_wh), format="bgr24")))
            container.mux(stream.encode())
    frames = list(iter(sources.open(str(tmp_path / "clip.mkv")).read, None))
    assert [frame.image_wh for frame in frames] == [(64, 48)] * 9


def test_two_recordings_in_one_file_rise_in_time(tmp_path: Path) -> None:
    one = write_stamped(tmp_path / "one.ts", range(0, 800, 40), codec="libx264").read_bytes()
    (tmp_path / "two.ts").write_bytes(one * 2)
    source = sources.open(str(tmp_path / "two.ts"))
    times = [frame.timestamp_s for frame in iter(source.read, None)]
    assert source.fps == pytest.approx(25) and times == pytest.approx(np.arange(40) / 25, abs=2e-3)


def test_two_recordings_in_one_file_begin_again_with_the_first(tmp_path: Path) -> None:
    one = write_stamped(tmp_path / "one.ts", range(0, 800, 40), codec="libx264").read_bytes()
    other = write_stamped(tmp_path / "other.ts", range(0, 800, 40), codec="libx264", size_wh=(80, 48)).read_bytes()
    (tmp_path / "two.ts").write_bytes(one + other)
    source = sources.open(str(tmp_path / "two.ts"), SourceOptions(loop=True))
    widths = [source.read().image_wh[0] for _ in range(80)]
    source.close()
    assert widths == [*[64] * 20, *[80] * 20] * 2


@pytest.mark.parametrize("end", ["closed", "read to its end", "dropped"])
def test_its_file_is_given_back_at_once(tmp_path: Path, end: str) -> None:
    """PyAV's own objects would keep it until the next collection of garbage."""
    clip, gc_was_on = write_clip(tmp_path / "clip.mp4", 5), gc.isenabled()
    gc.disable()
    try:
        source = sources.open(str(clip))
        assert _open_times(clip) == 1 and source.read() is not None
        if end == "closed":
            source.close()
        elif end == "dropped":
            del source
        else:
            assert len(list(iter(source.read, None))) == 4
        assert _open_times(clip) == 0
    finally:
        gc.enable() if gc_was_on else None


def _open_times(path: Path) -> int:
    links = [os.path.join("/proc/self/fd", number) for number in os.listdir("/proc/self/fd")]
    return sum(os.path.exists(link) and os.path.samefile(link, path) for link in links)


def test_a_frame_in_hand_outlives_many_closings(tmp_path: Path) -> None:
    """Reader and closer meet at every moment of a short file."""
    clip = str(write_clip(tmp_path / "clip.mp4", 30))
    for delay in range(8):
        source, seen = sources.open(clip), []

        def read_on(source=source, seen=seen) -> None:
            seen.extend(frame.pixels for frame in iter(source.read, None))

        reader = threading.Thread(target=read_on)
        reader.start()
        while len(seen) < delay and reader.is_alive():
            pass
        source.close()
        reader.join(10)
        assert not reader.is_alive()
        assert [round((float(p.planes[0].mean()) - 16) * 255 / 219 / 6) for p in seen[:1]] in ([], [7])
