"""edge-detect --output events:…: the story of each object, from real clips, by the engine that comes along; a kill."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List

import cv2
import pytest

from edge_runtime.cli import detect
from tests.hearing import heed_signals
from tests.sources.clips import write_clip
from tests.tiny import boxes_v8, write_onnx

FLAGS = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1", "--tune", "off"]
ENGINE = Path(__file__).resolve().parents[2] / "engines" / "yolo_nano_voc_int8.onnx"


@pytest.fixture
def engine(tmp_path: Path) -> str:
    return write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})


def rows(path: Path) -> List[Dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_events_imply_tracking(engine: str, tmp_path: Path, capsys: Any) -> None:
    clip, out = write_clip(tmp_path / "clip.mp4", 30), tmp_path / "out.jsonl"
    assert detect.main(["--engine", engine, str(clip), "--output", f"events:{out}", "--json", *FLAGS]) == 0
    summary, found = json.loads(capsys.readouterr().out), rows(out)
    assert summary["tracking"] == {str(clip): {"objects": {"b": 1}}}
    about = summary["sinks"][f"events:{out}"]["events"]
    assert about == {"taken": len(found), "lost": 0, "pictures": 1}
    assert [row["event"] for row in found if "key" in row] == ["new", "update", "end"]
    assert found[-1]["event"] == "status" and found[-1]["frames"] == 30


def test_events_on_stdout(engine: str, tmp_path: Path, capfd: Any) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 10)
    assert detect.main(["--engine", engine, str(clip), "--output", "events:-", *FLAGS]) == 0
    said = capfd.readouterr()
    assert [json.loads(line)["number"] for line in said.out.splitlines()] == list(range(1, said.out.count("\n") + 1))
    assert "results:" not in said.err
    assert detect.main(["--engine", engine, str(clip), "--output", "events:-", "--json", *FLAGS]) == 1


def test_lost_clips_are_said_with_the_reason(engine: str, tmp_path: Path, capsys: Any) -> None:
    source = ["--source", "synthetic://64x48?frames=10", "--output", f"clips:{tmp_path}/c"]
    assert detect.main(["--engine", engine, *source, *FLAGS]) == 0
    said = capsys.readouterr().err
    assert f"clips lost: 1 of clips:{tmp_path}/c: it gives no pictures that a clip could show" in said


def test_what_a_broker_has_not_got_is_said(engine: str, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("paho.mqtt")
    clip = write_clip(tmp_path / "clip.mp4", 10)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there, and no other program can
        target = f"mqtt://127.0.0.1:{closed.getsockname()[1]}/hall"
        assert detect.main(["--engine", engine, str(clip), "--output", f"{target}?spool={tmp_path}/spool", *FLAGS]) == 0
    said = re.search(r"not sent yet: (\d+) messages to (\S+) \((.*)\); the next run", capsys.readouterr().err)
    assert said and int(said[1]) > 0 and said[2] == target and said[3] == "Connection refused"


def test_a_clip_is_not_read_where_clips_are_removed(engine: str, tmp_path: Path, capsys: Any) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 5)
    assert detect.main(["--engine", engine, str(clip), "--output", f"clips:{tmp_path}?bytes=1", *FLAGS]) == 1
    assert "lies where the source" in capsys.readouterr().err and clip.exists()


@pytest.mark.parametrize("clip", ["one-by-one-person-detection.mp4", "car-detection.mp4"])
def test_a_real_clip(shared: Path, tmp_path: Path, capsys: Any, clip: str) -> None:
    """Every object begins once and ends once, in order, and the counts are those of the tracker."""
    out, source = tmp_path / "out.jsonl", shared / "video" / clip
    flags = ["--line", "gate=0.5,1,0.5,0", "--zone", "left=0,0,0.5,0,0.5,1,0,1", "--max-frames", "200"]
    assert detect.main([str(ENGINE), str(source), "--output", f"events:{out}", "--json", "--tune", "off", *flags]) == 0
    found = rows(out)
    tracked = json.loads(capsys.readouterr().out)["tracking"][str(source)]
    assert [row["number"] for row in found] == list(range(1, len(found) + 1))
    stories: Dict[str, List[Dict[str, Any]]] = {}
    for row in found:
        if "key" in row:
            stories.setdefault(row["key"], []).append(row)
    assert stories and Counter(story[0]["label"] for story in stories.values()) == tracked["objects"]
    for story in stories.values():
        kinds = [row["event"] for row in story]
        assert kinds[0] == "new" and kinds[-1] == "end" and kinds.count("new") == kinds.count("end") == 1
        assert {row["picture"] for row in story} == {f"out.pictures/{story[0]['key']}.jpg"}
        assert max(cv2.imread(str(tmp_path / story[0]["picture"])).shape[:2]) <= 320
    last = [row for row in found if row["event"] == "counts"][-1]
    assert last["objects"] == tracked["objects"] and last["in_view"] == {}
    line = {way: sum(counts.values()) for way, counts in tracked["lines"]["gate"].items()}
    assert last["lines"] == {"gate": line}
    assert Counter(row["direction"] for row in found if row["event"] == "crossing") == {
        k: n for k, n in line.items() if n
    }


def test_a_kill_keeps_all_that_was_said(engine: str, tmp_path: Path) -> None:
    out, files = tmp_path / "out.jsonl", ["out.jsonl", "out.pictures"]
    arguments = ["--engine", engine, "--source", "synthetic://320x240@50", "--output", f"events:{out}", *FLAGS]
    command = [sys.executable, "-m", "edge_runtime.cli.detect", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=heed_signals)
    until = time.monotonic() + 40
    while time.monotonic() < until and (not out.exists() or out.read_bytes().count(b"\n") < 6):
        time.sleep(0.02)
    process.kill()
    process.wait()
    found = rows(out)
    assert len(found) >= 6 and [row["number"] for row in found] == list(range(1, len(found) + 1))
    assert set(files) <= {path.name for path in tmp_path.iterdir()}
    assert not [path for path in (tmp_path / "out.pictures").iterdir() if path.suffix != ".jpg"]
