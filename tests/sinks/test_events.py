"""events:FILE.jsonl: a line per event, a picture per object, and what a disk or a reader may do to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from edge_runtime import sinks
from edge_runtime.errors import SinkError, UsageError
from tests.sinks.events import event
from tests.sinks.results import small_disk


def rows(path: Path) -> List[Dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_line_per_event_at_once(tmp_path: Path) -> None:
    sink = sinks.open_events(f"events:{tmp_path}/out.jsonl")
    sink.take(event("new", 1, label="person"))
    assert rows(tmp_path / "out.jsonl") == [
        {"event": "new", "time": 1.7e9 + 1, "run": "r", "number": 1, "source": "cam", "key": "r-cam-1",
         "label": "person"},
    ]  # fmt: skip
    sink.take(event("counts", 2, key=""))
    assert "key" not in rows(tmp_path / "out.jsonl")[1]
    sink.close()
    sink.close()
    assert sink.summary() == {"pictures": 0}


def test_a_picture_per_object_that_a_better_one_replaces(tmp_path: Path) -> None:
    sink = sinks.open_events(f"events:{tmp_path}/out.jsonl")
    first, better = b"first", b"better"
    for number, (kind, picture) in enumerate([("new", first), ("update", first), ("update", better), ("end", better)]):
        sink.take(event(kind, number, picture=picture))
        assert (tmp_path / "out.pictures" / "r-cam-1.jpg").read_bytes() == picture
    assert {row["picture"] for row in rows(tmp_path / "out.jsonl")} == {"out.pictures/r-cam-1.jpg"}
    assert sink.summary() == {"pictures": 2}
    assert not sink._written, "nothing is kept of what has ended"
    assert [path.name for path in (tmp_path / "out.pictures").iterdir()] == ["r-cam-1.jpg"]


def test_objects_whose_end_is_lost_take_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.sinks.events.MOST_KNOWN", 3)
    sink = sinks.open_events(f"events:{tmp_path}/out.jsonl")
    for number in range(10):
        sink.take(event("new", number, key=f"r-cam-{number}", picture=b"x"))
        assert len(sink._written) <= 3
    assert len(list((tmp_path / "out.pictures").iterdir())) == 10


def test_without_pictures(tmp_path: Path) -> None:
    sink = sinks.open_events(f"events:{tmp_path}/out.jsonl?pictures=no")
    sink.take(event(picture=b"x"))
    assert "picture" not in rows(tmp_path / "out.jsonl")[0] and len(list(tmp_path.iterdir())) == 1


def test_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    sink = sinks.open_events("events:-")
    sink.take(event(picture=b"x"))
    sink.close()
    assert json.loads(capfd.readouterr().out)["event"] == "new"


@pytest.mark.parametrize(
    ("options", "said"), [("pictures=maybe", "pictures is 'maybe'"), ("picture=no", "unknown key 'picture'")]
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        sinks.open_events(f"events:{tmp_path}/out.jsonl?{options}")
    assert caught.value.hint


def test_a_name_with_a_question_mark(tmp_path: Path) -> None:
    sink = sinks.open_events(f"events:{tmp_path}/what?.jsonl")
    sink.take(event())
    assert len(rows(tmp_path / "what?.jsonl")) == 1


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot be written"):
        sinks.open_events(f"events:{tmp_path}/none/out.jsonl")


def test_two_writers_of_one_file_are_refused(tmp_path: Path) -> None:
    sink = sinks.open_events(f"events:{tmp_path}/out.jsonl")
    with pytest.raises(UsageError, match="is being written"):
        sinks.open_events(f"events:{tmp_path}/out.jsonl")
    sink.close()


def test_frames_and_events_are_not_mixed_up(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes events, not frames"):
        sinks.open(f"events:{tmp_path}/out.jsonl")
    with pytest.raises(UsageError, match="takes frames, not events"):
        sinks.open_events(f"{tmp_path}/out.jsonl")
    with pytest.raises(UsageError, match=r"\{source\}"):
        sinks.open_events("events:{source}.jsonl")
    assert sinks.takes_events("events:a.jsonl") and not sinks.takes_events("a.jsonl")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    yield from small_disk(tmp_path / "disk", "64k")


def test_a_full_disk_costs_pictures_first_and_never_half_a_line(disk: Path) -> None:
    sink = sinks.open_events(f"events:{disk}/out.jsonl")
    with pytest.raises(SinkError, match="No space left"):
        for number in range(2000):
            sink.take(event("new", number, key=f"r-cam-{number}", picture=bytes(5000)))
    written = rows(disk / "out.jsonl")
    assert [row["number"] for row in written] == list(range(len(written)))
    said = sink.summary()
    assert said["pictures_lost"] > 0 and "No space left" in said["why"]
    shown = [row["picture"] for row in written if "picture" in row]
    assert 5 < len(shown) < len(written) and all((disk / name).stat().st_size == 5000 for name in shown)
