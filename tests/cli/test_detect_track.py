"""edge-detect --track: ids in all outputs, counts in the summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, List

import pytest

from edge_runtime.cli import detect
from tests.sources.clips import write_clip
from tests.tiny import boxes_v8, write_onnx

FLAGS = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1", "--tune", "off"]


@pytest.fixture
def engine(tmp_path: Path) -> str:
    """Three boxes in every image: sure, unsure, and too unsure."""
    rows = ((32, 32, 16, 8, 0.9, 1), (10, 10, 8, 8, 0.15, 0), (50, 10, 8, 8, 0.05, 2))
    return write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8(*rows)})


def run(engine: str, tmp_path: Path, *more: str) -> List[List[dict]]:
    clip, out = write_clip(tmp_path / "clip.mp4", 5), tmp_path / "out.jsonl"
    assert detect.main(["--engine", engine, "--video", str(clip), "--output", str(out), *more, *FLAGS]) == 0
    return [json.loads(line)["detections"] for line in out.read_text(encoding="utf-8").splitlines()]


def test_ids_in_jsonl_and_counts_in_the_summary(engine: str, tmp_path: Path, capsys: Any) -> None:
    frames = run(engine, tmp_path, "--track", "--json")
    assert [[found["tracker_id"] for found in frame] for frame in frames] == [[None], [1], [1], [1], [1]]
    summary = json.loads(capsys.readouterr().out)
    assert summary["tracking"] == {str(tmp_path / "clip.mp4"): {"objects": {"b": 1}}}


def test_people_read_the_counts(engine: str, tmp_path: Path, capsys: Any) -> None:
    run(engine, tmp_path, "--track")
    assert "objects: b 1\n" in capsys.readouterr().err


def test_without_it_nothing_changes(engine: str, tmp_path: Path, capsys: Any) -> None:
    frames = run(engine, tmp_path)
    assert all(len(frame) == 1 and "tracker_id" not in frame[0] for frame in frames)
    assert "objects" not in capsys.readouterr().err


def test_conf_says_what_is_an_object(engine: str, tmp_path: Path) -> None:
    frames = run(engine, tmp_path, "--track", "--conf", "0.04", "--track-hits", "1")
    assert [[found["tracker_id"] for found in frame] for frame in frames] == [[1, 2, 3]] * 5
    frames = run(engine, tmp_path, "--track", "--conf", "0.95")
    assert frames == [[]] * 5


@pytest.mark.parametrize("flags", [["--track-lost", "-1"], ["--track-hits", "0"], ["--track-lost", "x"]])
def test_values_that_make_no_sense_are_refused(engine: str, flags: List[str], capsys: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        detect.main(["--engine", engine, "--source", "demo", *flags])
    assert caught.value.code == 2 and flags[0] in capsys.readouterr().err


def test_the_ids_of_a_video_are_drawn(engine: str, tmp_path: Path) -> None:
    run(engine, tmp_path, "--save", str(tmp_path / "plain"))
    run(engine, tmp_path, "--track", "--save", str(tmp_path / "tracked"))
    plain, tracked = (sorted((tmp_path / name).iterdir()) for name in ("plain", "tracked"))
    assert len(plain) == len(tracked) == 5
    assert plain[0].read_bytes() == tracked[0].read_bytes(), "no id yet"
    assert plain[4].read_bytes() != tracked[4].read_bytes()


LINE, ZONE = "gate=0.5,1,0.5,0", "all=0,0,1,0,1,1,0,1"


def test_lines_and_zones_in_rows_and_summary(engine: str, tmp_path: Path, capsys: Any) -> None:
    run(engine, tmp_path, "--line", LINE, "--zone", ZONE)
    said = capsys.readouterr().err
    assert "line gate: in none; out none\n" in said
    assert "zone all: b 1; 1 at once at most; stayed 0." in said
    row = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert row["lines"] == {"gate": {"in": 0, "out": 0, "crossed": []}}
    assert row["zones"]["all"]["count"] == 1 and row["zones"]["all"]["inside"][0]["tracker_id"] == 1


def test_lines_and_zones_are_drawn(engine: str, tmp_path: Path) -> None:
    run(engine, tmp_path, "--track", "--save", str(tmp_path / "plain"))
    run(engine, tmp_path, "--line", LINE, "--save", str(tmp_path / "line"))
    plain, line = (sorted((tmp_path / name).iterdir())[-1].read_bytes() for name in ("plain", "line"))
    assert plain != line


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--line", "1,2,3,4"], "'1,2,3,4' is not NAME=x1,y1,x2,y2"),
        (["--line", "a=1,2,3"], "'a=1,2,3' is not NAME=x1,y1,x2,y2"),
        (["--line", "a=1,2,1,2"], "a is no line: give two different points"),
        (["--zone", "a=0.1,2,1,2,5,5"], "a mixes fractions with pixels: give pixels of the frame"),
        (["--zone", "a=1,2,x,2"], "is not NAME=x1,y1,x2,y2"),
        (["--zone", "a=1,2"], "expected a list: at least 2 times"),
    ],
)
def test_places_that_make_no_sense_are_refused(engine: str, flags: List[str], said: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        detect.main(["--engine", engine, "--source", "demo", *flags])
    assert caught.value.code == 2 and said in capsys.readouterr().err
