"""edge-detect whose process, terminal, disk or folder goes while it runs: what was found until then is kept."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import cv2
import pytest

from tests.hearing import heed_signals
from tests.sinks.results import small_disk
from tests.tiny import boxes_v8, write_onnx

FLAGS = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1", "--idle", "0"]
LIVE = ["--source", "synthetic://320x240@50"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_onnx(tmp_path_factory.mktemp("engine") / "t.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})


def command(engine: str, *arguments: str) -> List[str]:
    return [sys.executable, "-m", "edge_runtime.cli.detect", "--engine", engine, *FLAGS, *arguments]


def started(engine: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": heed_signals, **options}
    return subprocess.Popen(command(engine, *arguments), encoding="utf-8", **pipes)


def until(condition: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come so far"
        time.sleep(0.02)


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def frames(path: Path) -> int:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    return sum(1 for _ in iter(lambda: capture.read()[0], False))


def test_a_kill_keeps_all_that_was_written(engine: str, tmp_path: Path) -> None:
    names = ["out.jsonl", "out.mp4", "out.mkv", "out.avi"]
    outputs = [word for name in names for word in ("--output", str(tmp_path / name))]
    process = started(engine, *LIVE, *outputs)
    until(lambda: lines(tmp_path / "out.jsonl") > 60)
    process.kill()
    process.communicate()
    written = lines(tmp_path / "out.jsonl")
    assert [json.loads(line)["source"] for line in (tmp_path / "out.jsonl").open()] == [LIVE[1]] * written
    for name in names[1:]:
        assert frames(tmp_path / name) >= 50, name
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_finishes_the_files(engine: str, tmp_path: Path, number: int, times: int) -> None:
    """Of a session that closes, shell and kernel each tell."""
    video, found = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    process = started(engine, *LIVE, "--output", str(video), "--output", str(found), "--json")
    until(lambda: lines(found) > 20)
    for _ in range(times):
        process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 0, stderr
    assert json.loads(stdout)["frames"] >= lines(found) > 20
    assert frames(video) > 10 and b"moof" not in video.read_bytes()[:1024].split(b"mdat")[0], "an index of the whole"


def test_what_nohup_starts_goes_on(engine: str, tmp_path: Path) -> None:
    found = tmp_path / "out.jsonl"
    ignored = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    process = started(engine, *LIVE, "--output", str(found), preexec_fn=ignored)
    until(lambda: lines(found) > 5)
    process.send_signal(signal.SIGHUP)
    before = lines(found)
    until(lambda: lines(found) > before + 20)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.mark.parametrize("summary", ["to a file", "to the terminal"])
def test_a_terminal_that_closes_ends_it_cleanly(engine: str, tmp_path: Path, summary: str) -> None:
    video, found, said = tmp_path / "out.mp4", tmp_path / "out.jsonl", tmp_path / "summary.json"
    arguments = command(engine, *LIVE, "--output", str(video), "--output", str(found), "--json")
    terminal, session = pty.openpty()

    def log_in() -> None:
        heed_signals()
        os.setsid()
        fcntl.ioctl(session, termios.TIOCSCTTY, 0)

    with said.open("w") as file:
        stdout = file if summary == "to a file" else session
        process = subprocess.Popen(arguments, stdin=session, stdout=stdout, stderr=session, preexec_fn=log_in)
    os.close(session)
    try:
        until(lambda: lines(found) > 20)
    finally:
        os.close(terminal)
    assert process.wait(30) == 0
    assert frames(video) > 10
    if summary == "to a file":
        assert json.loads(said.read_text(encoding="utf-8"))["frames"] > 20


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_run_outlives_the_reader_of_its_words(engine: str, tmp_path: Path, stream: str) -> None:
    found = tmp_path / "out.jsonl"
    source = "synthetic://64x48?frames=40"
    process = started(engine, "--source", source, "--output", str(found))
    getattr(process, stream).close()
    other = process.stdout if stream == "stderr" else process.stderr
    assert other is not None
    other.read()
    assert process.wait(40) == 0 and lines(found) == 40


def test_a_folder_that_is_removed_costs_its_own_output_alone(engine: str, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    gone, kept, video = tmp_path / "gone" / "out.jsonl", tmp_path / "kept.jsonl", tmp_path / "kept.mp4"
    outputs = ["--output", str(gone), "--output", str(kept), "--output", str(video)]
    process = started(engine, "--source", "synthetic://320x240@50?frames=120", *outputs)
    until(lambda: lines(gone) > 5)
    shutil.rmtree(gone.parent)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1 and f"error: '{gone}' was removed while it was written" in stderr
    assert "fault of edge-runtime" not in stderr and "Traceback" not in stderr
    assert lines(kept) > 80 and frames(video) > 80


@pytest.mark.parametrize("name", ["out.jsonl", "out.mp4", "out.mkv", "out.avi", "out.csv", "drawn/"])
def test_the_only_output_is_removed(engine: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "gone").mkdir()
    target = tmp_path / "gone" / name
    process = started(engine, *LIVE, "--output", f"{target}{'/' * name.endswith('/')}")
    until(lambda: target.exists() and (target.is_file() or len(list(target.iterdir())) > 3))
    (tmp_path / "gone").rename(tmp_path / "there")  # at once: files come while a folder is emptied
    shutil.rmtree(tmp_path / "there")
    _, stderr = process.communicate(timeout=40)
    errors = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert process.returncode == 1 and len(errors) == 1 and str(tmp_path / "gone") in errors[0], stderr
    assert "fault of edge-runtime" not in stderr


REFUSED = {
    "model": ["--engine", "{tmp}/broken.onnx", "--source", "synthetic://64x48?frames=5"],
    "source": ["--source", "{tmp}/none.mp4"],
    "first picture": ["--source", "{tmp}/broken.jpg"],
    "camera": ["--camera", "97"],
}


@pytest.mark.parametrize("earlier", [True, False])
@pytest.mark.parametrize("case", REFUSED)
def test_a_start_that_fails_leaves_everything_as_it_was(engine: str, tmp_path: Path, case: str, earlier: bool) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model" * 100)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    folder = tmp_path / "results"
    folder.mkdir()
    names = ["out.jsonl", "out.mp4", "out.mkv", "out.avi", "out.csv", "run.csv", "drawn/000000.jpg"]
    if earlier:
        (folder / "drawn").mkdir()
        for name in names:
            (folder / name).write_text(f"yesterday's {name}", encoding="utf-8")
    outputs = [word for name in names[:5] for word in ("--output", str(folder / name))]
    arguments = [word.replace("{tmp}", str(tmp_path)) for word in REFUSED[case]]
    process = started(engine, *arguments, *outputs, "--save", str(folder / "drawn"), "--log", str(folder / "run.csv"))
    _, stderr = process.communicate(timeout=40)
    assert process.returncode == 1, stderr
    there = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()
    }
    assert there == ({name: f"yesterday's {name}" for name in names} if earlier else {})
    assert earlier or not (folder / "drawn").exists()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    yield from small_disk(tmp_path / "disk", "16k")


@pytest.mark.parametrize("broken", ["log", "sink"])
def test_a_full_disk_costs_what_is_on_it_alone(engine: str, tmp_path: Path, disk: Path, broken: str) -> None:
    video, found, full = tmp_path / "out.mp4", tmp_path / "out.jsonl", disk / "full.jsonl"
    (disk / "filler").write_bytes(bytes(16_384))
    flags = ["--log" if broken == "log" else "--output", str(full)]
    outputs = ["--output", str(video), "--output", str(found), *flags]
    process = started(engine, "--source", "synthetic://320x240@50?frames=150", *outputs, "--json")
    stdout, stderr = process.communicate(timeout=120)
    at_once = "warning: the log is given up" if broken == "log" else f"output {full} failed, the others go on"
    assert process.returncode == 1 and stderr.index(at_once) < stderr.index("error: "), stderr
    assert f"'{full}' cannot be written: No space left" in stderr[stderr.index("error: ") :]
    summary = json.loads(stdout)
    assert lines(found) == summary["frames"] - summary["sinks"][str(found)]["dropped"] > 50
    assert frames(video) == summary["frames"] - summary["sinks"][str(video)]["dropped"] > 50
    assert sorted(path.name for path in disk.iterdir()) == ["filler"]
