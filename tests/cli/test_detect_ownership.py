"""edge-detect and what hangs or fails: one Ctrl-C or SIGTERM ends it, and it says what it lost."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import List

import pytest

from tests.cli.test_detect import FLAGS, command, engine, run
from tests.hearing import heed_signals

__all__ = ["engine"]  # a fixture

FULL_BYTES = 60_000  # a pipe holds 64 KiB, less what whole lines leave of each page


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        preexec_fn=heed_signals,
    )  # fmt: skip


def lines_of(path: Path) -> List[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def wait_until_it_is_full(pipe: int) -> None:
    """Until the writer of a pipe that nobody reads can only wait."""
    until = time.monotonic() + 60
    while _held(pipe) < FULL_BYTES and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(0.5)


def _held(pipe: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("target", ["fifo", "stdout"])
def test_one_signal_ends_it_although_a_reader_has_stopped(
    engine: str, tmp_path: Path, number: signal.Signals, target: str
) -> None:
    fifo, lines = tmp_path / "fifo.jsonl", tmp_path / "out.jsonl"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)  # which never reads
    stuck = str(fifo) if target == "fifo" else "-"
    process = started(
        "--engine", engine, "--source", "synthetic://64x48", "--output", str(lines), "--output", stuck, *FLAGS
    )
    wait_until_it_is_full(reader if target == "fifo" else process.stdout.fileno())
    process.send_signal(number)
    began = time.monotonic()
    while process.poll() is None and time.monotonic() < began + 30:
        time.sleep(0.05)
    assert process.poll() == 1, "it ends by itself"
    stderr = process.stderr.read()
    os.close(reader)
    process.stdout.close()
    process.stderr.close()
    assert f"{stuck} did not end within 5 s and is left behind" in stderr and f"left behind: {stuck}" in stderr
    assert "Traceback" not in stderr and stderr.count("hint: ") == 1
    frames = int(stderr.split(" frames, ")[0].rsplit("\n", 1)[-1])
    assert [json.loads(line)["frame"] for line in lines_of(lines)] == list(range(frames)), "the healthy one is whole"
    assert frames > 100 and sorted(path.name for path in tmp_path.iterdir()) == ["fifo.jsonl", "out.jsonl"]


def test_a_source_that_fails_among_several(engine: str, tmp_path: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes(b"no video")
    sources = ["--source", "synthetic://64x48?frames=30", "--source", str(tmp_path / "cut.mp4")]
    done = run("--engine", engine, *sources, "--json", *FLAGS)
    assert done.returncode == 1 and "the others go on" in done.stderr and "error: " in done.stderr
    summary = json.loads(done.stdout)
    assert summary["frames"] == 30 and summary["failed"][0]["source"] == str(tmp_path / "cut.mp4")
    done = run("--engine", engine, *sources, "--fail-fast", *FLAGS)
    assert done.returncode == 1 and "frames," not in done.stderr and "cannot be opened as a video" in done.stderr


def test_all_sources_failed(engine: str, tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("a.mp4", "b.mp4")]
    for name in names:
        Path(name).write_bytes(b"no video")
    given = ["--source", names[0], "--source", names[1], "--output", str(tmp_path / "o.jsonl")]
    done = run("--engine", engine, *given, *FLAGS)
    assert done.returncode == 1 and f"error: {names[0]!r} cannot be opened as a video" in done.stderr
    assert sorted(map(str, tmp_path.iterdir())) == names


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_kill_leaves_no_process_behind(engine: str, tmp_path: Path, number: signal.Signals) -> None:
    lines = tmp_path / "out.jsonl"
    process = started("--engine", engine, "--source", "synthetic://64x48@50", "--output", str(lines), *FLAGS)
    until = time.monotonic() + 60
    while len(lines_of(lines)) < 10 and time.monotonic() < until:
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    assert not [child for child in children if os.path.exists(f"/proc/{child}")]
    assert len(lines_of(lines)) >= 10
    done = run("--engine", engine, "--source", "synthetic://64x48?frames=5", "--output", str(lines), *FLAGS)
    assert done.returncode == 0 and len(lines_of(lines)) == 5, "the next run may write it"
