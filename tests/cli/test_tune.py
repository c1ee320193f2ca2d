"""edge-detect and edge-bench choose threads and streams: what they print, and what their flags overrule."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from edge_runtime.cli import _tune, bench, detect
from edge_runtime.errors import EdgeError
from edge_runtime.tuning import tuner
from tests.models import MODELS

MODEL = str(MODELS / "yolo_v8.onnx")
LONG = "synthetic://64x48?frames=600"


def run(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_runtime.cli.detect", MODEL, *arguments, "--json"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return done


def test_a_trial_loses_no_frame_says_its_figures_and_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    out = tmp_path / "out.jsonl"
    done = run(tmp_path, LONG, "--output", str(out), "--tune", "again", "--streams", "2", "--threads", "2")
    assert [json.loads(line)["frame"] for line in out.read_text(encoding="utf-8").splitlines()] == list(range(600))
    summary: Dict[str, Any] = json.loads(done.stdout)
    assert "2 threads in 2 streams" in summary["backend"]
    (chosen,) = [line for line in done.stderr.splitlines() if line.startswith("arrangement: ")]
    assert "images/s" in chosen and "measured now" in chosen and "again measures anew" not in chosen
    again = run(tmp_path, LONG, "--streams", "2", "--threads", "2", "--max-frames", "9")
    (kept,) = [line for line in again.stderr.splitlines() if line.startswith("arrangement: ")]
    assert chosen.split(" images/s")[0] in kept and "kept from 20" in kept


@pytest.mark.parametrize(
    "arguments",
    [
        [LONG, "--tune", "off"],
        ["synthetic://64x48?frames=5"],
        [LONG, "--max-frames", "3"],
        [LONG, "--duration", "1"],
        [LONG, "--backend", "onnxruntime", "--threads", "1"],
        [LONG, "--target-fps", "500"],
    ],
    ids=lambda arguments: " ".join(arguments[-2:]),
)
def test_nothing_is_tried_without_a_need(arguments: List[str], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    done = run(tmp_path, *arguments)
    assert "arrangement" not in done.stderr and "trying" not in done.stderr
    assert not list(tmp_path.rglob("arrangements/*"))


class Stop(EdgeError):
    """Ends a command once it has asked."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Dict[str, Any]:
    """What `tune` was called with."""
    found: Dict[str, Any] = {}

    def tune(path: str, source: Any, **named: Any) -> Any:
        found.update(named, source=source)
        raise Stop("asked", hint="")

    monkeypatch.setattr(tuner, "tune", tune)
    return found


def test_what_flags_name_is_handed_on(asked: Dict[str, Any]) -> None:
    named = ["--threads", "3", "--streams", "2", "--spinning", "off", "--backend", "onnxruntime", "--batch", "2"]
    assert detect.main([MODEL, "demo", *named, "--size", "64x48", "--loop"]) == 1
    options = asked["options"]
    assert (options.threads, options.streams, options.spinning) == (3, 2, False)
    assert (options.backend, options.batch) == ("onnxruntime", 2)
    assert asked["source"] == ["demo"] and asked["when"] == "auto"
    assert asked["source_options"].size_wh == (64, 48) and asked["source_options"].loop


def test_what_is_not_named_is_left_to_the_trial(asked: Dict[str, Any]) -> None:
    assert detect.main([MODEL, "demo", "--tune", "again", "--max-frames", "5"]) == 1
    options = asked["options"]
    assert (options.backend, options.threads, options.streams, options.spinning) == (None, 0, 0, None)
    assert asked["when"] == "again", "it was asked for, so that a short run does not matter"
    detect.main([MODEL, "demo", "--max-frames", "5"])
    assert asked["when"] == "kept"


def test_edge_bench_measures_what_edge_detect_runs(asked: Dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    bench.main([MODEL, "--streams", "2", "--batch", "4", "--seconds", "30"])
    assert asked["source"] == ["synthetic://1280x720"] * 2 and asked["options"].batch == 4
    assert asked["options"].streams == 0, "its --streams are copies of the source"
    assert asked["when"] == "auto" and asked["source_options"].loop
    bench.main([MODEL, "--seconds", "1"])
    assert asked["when"] == "kept"


@pytest.mark.parametrize(
    ("frames", "seconds", "short"),
    [
        (None, None, False),
        (599, None, True),
        (600, None, False),
        (None, 19.9, True),
        (600, 20.0, False),
        (9, 99.0, True),
    ],
)
def test_short_runs(frames: Any, seconds: Any, short: bool) -> None:
    assert _tune.is_short(frames, seconds) is short
