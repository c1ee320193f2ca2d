"""edge-detect with cameras that go away: said within a second, counted at the end, never the end of the run."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import List

import pytest

from tests.loop.parts import within
from tests.sources.mjpeg import MjpegServer
from tests.tiny import boxes_v8, write_onnx


@pytest.fixture
def command(tmp_path: Path) -> List[str]:
    engine = write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    flags = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1", "--tune", "off", "--json"]
    return [sys.executable, "-m", "edge_runtime.cli.detect", engine, *flags]


def test_one_of_two_is_killed(command: List[str], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    first, second = MjpegServer(), MjpegServer()
    heard: List[str] = []
    command += [first.url, second.url, "--duration", "30", "--output", str(out)]
    run = subprocess.Popen(command, encoding="utf-8", bufsize=1, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert run.stdout is not None and run.stderr is not None
    listening = threading.Thread(target=lambda: heard.extend(run.stderr or ()))
    listening.start()
    assert within(20, lambda: out.exists() and second.url in out.read_text(encoding="utf-8")), "both give frames"
    second.stop()
    assert within(20, lambda: any(f"source {second.url} is lost: " in line for line in heard))
    run.terminate()
    states = json.loads(run.stdout.read())["states"]
    listening.join()
    assert run.wait() in (0, 143) and [state["state"] for state in states] == ["live", "lost"]
    assert sum(second.url in line and " is " in line for line in heard) == 1, "once for each change"
    first.stop()


def test_one_that_never_comes_is_given_up(command: List[str]) -> None:
    gone = MjpegServer()
    gone.stop()
    alone = subprocess.run([*command, gone.url], capture_output=True, encoding="utf-8", timeout=60)
    assert alone.returncode == 1 and "error: no stream at" in alone.stderr
    waited = subprocess.run(
        [*command, gone.url, "--wait", "--give-up", "2"], capture_output=True, encoding="utf-8", timeout=60
    )
    assert waited.returncode == 1 and "did not come back in 2 tries" in waited.stderr
    assert f"source {gone.url} is connecting: connection refused" in waited.stderr
