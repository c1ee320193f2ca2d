"""edge-detect as a user runs it: real processes, real files, signals, errors on one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import List

import cv2
import numpy as np
import pytest

from tests.hearing import heed_signals
from tests.tiny import boxes_v8, write_onnx

FLAGS = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1"]


def command(*arguments: str) -> List[str]:
    return [sys.executable, "-m", "edge_runtime.cli.detect", *arguments]


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, encoding="utf-8", timeout=60, **options)


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("engine") / "tiny.onnx"
    return write_onnx(path, {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})


@pytest.fixture
def images(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, size in (("a.png", (48, 64)), ("b.jpg", (128, 128))):
        cv2.imwrite(str(folder / name), np.full((*size, 3), 90, np.uint8))
    (folder / "notes.txt").write_text("not an image", encoding="utf-8")
    return folder


def read_frames(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    return count


def test_images_to_jsonl_images_and_summary(engine, images, tmp_path):
    out = tmp_path / "out.jsonl"
    done = run("--engine", engine, "--images", str(images), "--output", str(out), "--save", str(tmp_path / "drawn"),
               "--json", *FLAGS)  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["frames"] == 2 and summary["detections"] == {"b": 2}
    assert summary["skipped"] == [f"{images / 'notes.txt'}: not an image"]
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [Path(line["path"]).name for line in lines] == ["a.png", "b.jpg"]
    assert lines[1]["detections"] == [{"class_id": 1, "label": "b", "confidence": 0.9, "box": [48.0, 56.0, 80.0, 72.0]}]
    assert set(lines[0]) == set("source path frame timestamp_s width height latency_ms stage_ms detections".split())
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == ["a.jpg", "b.jpg"]


def test_outputs_that_are_no_numbers_are_warned_of_and_counted(images, tmp_path):
    bad = write_onnx(tmp_path / "bad.onnx", {"output0": np.full_like(boxes_v8(), np.nan)})
    done = run("--engine", bad, "--images", str(images), "--json", *FLAGS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["not_finite"] == {"frames": 2, "looked_at": 2}
    assert "the outputs of the model are not finite (NaN or infinite): float16 overflow" in done.stderr
    done = run("--engine", bad, "--images", str(images), *FLAGS)
    assert "warning: the outputs are not finite (NaN or infinite) on 2 of 2 frames that were looked at" in done.stderr


def test_nothing_on_any_frame_is_told_with_the_way_out(engine, images, tmp_path):
    empty = write_onnx(tmp_path / "empty.onnx", {"output0": boxes_v8()})
    done = run("--engine", empty, "--images", str(images), *FLAGS)
    assert done.returncode == 0 and "detections: none" in done.stderr
    assert "warning: nothing was found on any frame; if there are objects, check family and" in done.stderr
    assert f"preprocessing: edge-identify {empty} PICTURES" in done.stderr
    done = run("--engine", engine, "--images", str(images), *FLAGS)
    assert "warning" not in done.stderr


def test_a_video_keeps_every_frame(engine, tmp_path):
    out = tmp_path / "out.mp4"
    done = run(
        "--engine", engine, "--source", "synthetic://320x240?frames=40", "--output", str(out), "--output", "-", *FLAGS
    )
    assert done.returncode == 0, done.stderr
    assert read_frames(out) == 40
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == list(range(40))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_finish_the_files(engine, tmp_path, number):
    video, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    source = ["--source", "synthetic://320x240@100", "--output", str(video), "--output", str(lines)]
    process = subprocess.Popen(
        command("--engine", engine, *source, "--json", *FLAGS),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        preexec_fn=heed_signals,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (not lines.exists() or lines.read_text(encoding="utf-8").count("\n") < 20):
        time.sleep(0.05)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 0, stderr
    summary = json.loads(stdout)
    written = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert len(written) == summary["frames"] - summary["sinks"][str(lines)]["dropped"] >= 20
    assert read_frames(video) == summary["frames"] - summary["sinks"][str(video)]["dropped"] > 0


BAD = {
    "missing engine": (["--engine", "nothing.onnx", "--source", "synthetic"], "no engine"),
    "missing video": (["--source", "nothing.mp4"], "nothing.mp4"),
    "garbage video": (["--source", "{tmp}/garbage.mp4"], "garbage.mp4"),
    "empty image": (["--source", "{tmp}/empty.jpg"], "empty.jpg"),
    "empty folder": (["--source", "{tmp}/empty"], "image"),
    "unknown scheme": (["--source", "gopher://x"], "gopher"),
    "missing camera": (["--camera", "97"], "97"),
    "output is a folder": (
        ["--source", "synthetic://64x48?frames=5", "--output", "{tmp}/folder.jsonl"],
        "folder.jsonl",
    ),
    "unwritable output": (["--source", "synthetic://64x48?frames=5", "--output", "/proc/none/out.mp4"], "/proc/none"),
    "disk full": (["--source", "synthetic://64x48?frames=500", "--output", "{tmp}/full.jsonl"], "full.jsonl"),
    "no source": ([], "no source"),
    "unknown class": (["--source", "synthetic", "--classes", "zebra"], "zebra"),
    "output is the source": (
        ["--source", "{tmp}/garbage.mp4", "--output", "{tmp}/garbage.mp4"],
        "both source and output",
    ),
    "imgsz of a fixed model": (["--source", "synthetic", "--imgsz", "320"], "fixed at 64x64"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_error_and_one_hint(case, engine, tmp_path):
    (tmp_path / "garbage.mp4").write_bytes(b"no video" * 1000)
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    arguments, expected = BAD[case]
    arguments = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    if "--engine" not in arguments:
        arguments = ["--engine", engine, *arguments]
    done = run(*arguments, *FLAGS, cwd=str(tmp_path))
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    hints = [line for line in done.stderr.splitlines() if line.startswith("hint: ")]
    assert done.returncode == 1 and len(errors) == 1 and len(hints) == 1, done.stderr
    assert expected in errors[0] and "Traceback" not in done.stderr


def test_wrong_usage_is_exit_2(engine):
    assert run("--engine", engine, "--resize", "shrink").returncode == 2
    assert run("--engine", engine, "--mean", "1,2").returncode == 2
    assert run("--engine", engine, "--source", "synthetic", "--conf", "7").returncode == 2


def test_a_bare_name_is_looked_up_in_engines(engine, tmp_path):
    (tmp_path / "engines").mkdir()
    os.link(engine, str(tmp_path / "engines" / "tiny.onnx"))
    done = run("--engine", "tiny.onnx", "--source", "synthetic://64x48?frames=3", "--json", *FLAGS, cwd=str(tmp_path))
    assert done.returncode == 0 and json.loads(done.stdout)["frames"] == 3
    (tmp_path / "m.toml").write_text('family = "yolo_v8"\nlabels = "x,y,z"\n', encoding="utf-8")
    done = run(
        "--engine",
        "tiny.onnx",
        "--source",
        "synthetic://64x48?frames=3",
        "--json",
        "--recipe",
        "m.toml",
        cwd=str(tmp_path),
    )
    assert json.loads(done.stdout)["detections"] == {"y": 3}


@pytest.mark.parametrize("module", ["numpy", "numpy.typing"])
@pytest.mark.parametrize("command", ["detect", "eval", "calibrate", "bench", "build"])
def test_without_a_numpy_of_its_time(command: str, module: str) -> None:
    """numpy.typing came with 1.20."""
    code = f"import sys; sys.modules[{module!r}] = None; from edge_runtime.cli.{command} import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith("error: numpy is missing, or older than 1.21") and "hint: pip install" in done.stderr
