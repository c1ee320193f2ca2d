"""A folder of clips: limits in bytes and days, a list that may say anything, a full disk; what was there stays."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Iterator

import pytest

from edge_runtime import sinks
from edge_runtime.imaging.remux import Encoded, Remuxer
from edge_runtime.sinks._clip_store import ClipStore
from tests.sinks.results import small_disk

av = pytest.importorskip("av")
from tests.sinks.played import Played, files, frames, levels, listed, story, write_source  # noqa: E402


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("clip"))


def test_the_oldest_clips_are_removed_by_bytes_and_nothing_else(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / "holiday.mp4").write_bytes(bytes(10**6))
    one = Played(clip, f"clips:{folder}?before=1&after=1")
    story(one, 3, 8, 13, 18)
    one.play(25)
    one.close()
    mine = [path for path in files(folder) if path.name != "holiday.mp4"]
    assert len(mine) == 4
    most = sum(path.stat().st_size for path in mine[2:])
    other = sinks.open_events(f"clips:{folder}?bytes={most}")
    assert other.summary()["removed"] == 2
    other.close()
    assert {path.name for path in files(folder)} == {"holiday.mp4", *(path.name for path in mine[2:])}
    assert set(listed(folder)) == {path.name for path in mine[2:]}


def test_clips_are_removed_after_some_days(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    played = Played(clip, f"clips:{folder}?before=1&after=1")
    story(played, 3, 8)
    played.play(15)
    played.close()
    rows = [json.loads(line) for line in (folder / "clips.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        if "time" in row:
            row["time"] = time.time() - 86_400 * (3 if row["file"] == files(folder)[0].name else 1)
    (folder / "clips.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows) + '{"file":"cut o', encoding="utf-8"
    )
    kept = files(folder)[1]
    sinks.open_events(f"clips:{folder}?days=2").close()
    assert files(folder) == [kept]


def test_old_clips_are_removed_also_if_nothing_happens_any_more(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = Played(clip, f"clips:{tmp_path}/c?before=1&after=1&days=10000")
    story(played, 3)
    played.play(15)
    played.tell("counts")
    assert len(files(tmp_path / "c")) == 1
    later_s, clock_s = time.time() + 86_400 * 30_000, time.monotonic() + 86_400 * 30_000
    monkeypatch.setattr(time, "time", lambda: later_s)
    monkeypatch.setattr(time, "monotonic", lambda: clock_s)
    played.tell("counts")
    assert files(tmp_path / "c") == [] and played.sink.summary()["removed"] == 1
    played.close()


def test_a_line_that_a_kill_cut_off_costs_no_later_clip_its_place_in_the_list(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "clips.jsonl").write_text('{"file":"cut o', encoding="utf-8")
    played = Played(clip, f"clips:{tmp_path}/c?before=1&after=1")
    story(played, 3)
    played.play(15)
    played.close()
    assert len(files(tmp_path / "c")) == 1
    other = sinks.open_events(f"clips:{tmp_path}/c?bytes=1")
    assert other.summary()["removed"] == 1 and files(tmp_path / "c") == []
    other.close()


@pytest.mark.parametrize("name", ["../outside.mp4", "/etc/hostname", "link.mp4", "folder.mp4", "notes.txt"])
def test_a_list_that_names_other_files_removes_none(tmp_path: Path, name: str) -> None:
    folder, outside = tmp_path / "c", tmp_path / "outside.mp4"
    folder.mkdir()
    outside.write_text("outside", encoding="utf-8")
    (folder / "notes.txt").write_text("notes", encoding="utf-8")
    (folder / "folder.mp4").mkdir()
    (folder / "link.mp4").symlink_to(outside)
    (folder / "clips.jsonl").write_text(json.dumps({"file": name, "time": 1.0}) + "\n", encoding="utf-8")
    sinks.open_events(f"clips:{folder}?days=1&bytes=1").close()
    assert (
        outside.read_text(encoding="utf-8") == "outside"
        and (folder / "notes.txt").exists()
        and (folder / "folder.mp4").is_dir()
    )
    assert os.path.lexists(folder / "link.mp4") and Path("/etc/hostname").exists()


@pytest.mark.parametrize("line", [
    "[" * 100_000, '{"file":"a.mp4","time":"x"}', f'{{"file":"a.mp4","time":1{"0" * 400}}}', '{"file":["a.mp4"]}', "7",
])  # fmt: skip
def test_a_line_of_the_list_that_makes_no_sense_is_left_out(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.mp4").write_bytes(bytes(100))
    (tmp_path / "clips.jsonl").write_text(f'{{"file":"a.mp4","time":1.0}}\n{line}\n', encoding="utf-8")
    opened = sinks.open_events(f"clips:{tmp_path}?days=1")
    assert opened.summary()["removed"] == 1 and not files(tmp_path)
    opened.close()


def test_any_failure_of_ffmpeg_costs_that_clip_alone(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(self: Remuxer, packet: Encoded) -> None:
        raise av.error.UnknownError(1, "unknown")

    played = Played(clip, f"clips:{tmp_path}/c?before=1&after=1")
    with monkeypatch.context() as patch:
        patch.setattr(Remuxer, "add", add)
        story(played, 5)
        played.tell("counts")
    story(played, 8)
    played.play(12)
    played.close()
    said = played.sink.summary()
    assert said["clips_lost"] == 1 and said["clips"] == 1 and "unknown" in said["why"]


def test_a_clip_that_cannot_be_removed_stays_in_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(bytes(100))
    (tmp_path / "clips.jsonl").write_text('{"file":"a.mp4","time":1.0}\n', encoding="utf-8")

    def refused(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refused)
    opened = sinks.open_events(f"clips:{tmp_path}?days=1")
    assert opened.summary()["removed"] == 0 and set(listed(tmp_path)) == {"a.mp4"}
    opened.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    yield from small_disk(tmp_path / "disk", "64k")


def test_a_full_disk_costs_clips_and_leaves_no_half_one(
    clip: Path, disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (disk / "filler").write_bytes(bytes(60_000))
    played = Played(clip, f"clips:{disk}/c?before=1&after=1")
    story(played, 3, 8)
    (disk / "filler").unlink()
    story(played, 15)
    played.play(20)
    played.tell("counts")
    said = played.sink.summary()
    assert said["clips_lost"] == 2 and said["clips"] == 1 and "No space left" in said["why"]
    assert caplog.text.count("is lost, all else goes on") == 1
    assert len(files(disk / "c")) == 1 and levels(files(disk / "c")[0]) == frames(140, 161)
    played.close()


def test_a_clip_that_has_just_begun_is_still_listed_when_another_one_ends(tmp_path: Path) -> None:
    """Its file comes with its first picture."""
    store = ClipStore(str(tmp_path), None, None)
    store.note("one.mp4", {"time": 5.0})
    store.clean(["one.mp4"])
    store.note("one.mp4", {"seconds": 1.0})
    store.path("one.mp4").write_bytes(b"clip")
    store.clean([])
    store.close()
    assert listed(tmp_path)["one.mp4"]["time"] == 5.0
