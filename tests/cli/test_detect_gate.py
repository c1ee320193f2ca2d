"""edge-detect --motion-gate, and the lines of several sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest

from edge_runtime.cli import _gate, detect
from tests.sources.clips import write_clip
from tests.tiny import boxes_v8, write_onnx


def run(tmp_path: Path, *more: str) -> int:
    engine = write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    flags = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1", "--tune", "off", "--idle", "0"]
    return detect.main(["--engine", engine, *flags, *more])


def clip(tmp_path: Path, name: str = "clip.mp4") -> str:
    return str(write_clip(tmp_path / name, 40))


def test_frames_without_motion_are_marked_and_counted(tmp_path: Path, capsys: Any) -> None:
    out = str(tmp_path / "out.jsonl")
    assert run(tmp_path, clip(tmp_path), "--motion-gate", "--motion-tail", "0.5s", "--output", out, "--json") == 0
    gate = json.loads(capsys.readouterr().out)["motion_gate"]
    rows = [json.loads(line) for line in Path(out).read_text(encoding="utf-8").splitlines()]
    assert gate == {"gated": 40 - 13, "inferred": 13, "saved_joules": None}
    assert sum(row.get("gated", False) for row in rows) == 27 and all(len(row["detections"]) == 1 for row in rows)


def test_people_read_what_was_saved(tmp_path: Path, capsys: Any) -> None:
    assert run(tmp_path, clip(tmp_path), "--motion-gate", "--motion-tail", "0.5", "--motion-every", "0.8") == 0
    assert "motion gate: 26 of 40 frames not inferred\n" in capsys.readouterr().err


def test_it_is_off_unless_asked_for(tmp_path: Path, capsys: Any) -> None:
    assert run(tmp_path, clip(tmp_path)) == 0
    assert "motion gate" not in capsys.readouterr().err
    assert run(tmp_path, clip(tmp_path), "--motion-tail", "2") == 1
    assert "hint: add --motion-gate\n" in capsys.readouterr().err


def test_each_source_has_a_line(tmp_path: Path, capsys: Any) -> None:
    first, second = clip(tmp_path, "a.mp4"), clip(tmp_path, "b.mp4")
    assert run(tmp_path, first, second) == 0
    said = capsys.readouterr().err
    for name in (first, second):
        (line,) = [line for line in said.splitlines() if line.startswith(f"{name}: ")]
        assert "40 frames, " in line and " FPS, latency p50 " in line and line.endswith("detections: 40")
    assert run(tmp_path, first) == 0
    assert f"{first}: 40" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "power, joules",
    [
        ({"mean_w": 9.0, "idle_w": 5.0, "seconds": 20.0}, 4 * 20 / 10 * 30),
        ({"mean_w": 9.0, "idle_w": None, "seconds": 20.0}, None),
        ({"mean_w": 5.01, "idle_w": 5.0, "seconds": 20.0}, None),
        ({"reason": "no power sensor here"}, None),
    ],
)
def test_joules_are_those_above_idle_or_none(power: Dict[str, Any], joules: Any) -> None:
    streams: Dict[str, Any] = {"a": {"gated": 25}, "b": {"gated": 5}}
    summary = {"motion_gate": {"gated": 30, "inferred": 10}, "power": power, "streams": streams}
    _gate.add_saved(summary)
    found = summary["motion_gate"]
    assert found == {"gated": 30, "inferred": 10, "saved_joules": joules}
    each = [stream["saved_joules"] for stream in streams.values()]
    assert each == ([None, None] if joules is None else [200.0, 40.0]), "together they are the total"
    said = _gate.lines({"motion_gate": found})
    assert said == [f"motion gate: 30 of 40 frames not inferred{', 240.0 J saved' if joules else ''}"]
