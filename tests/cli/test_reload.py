"""A configuration that is read again while it runs: no frame of a file is lost, and errors change nothing."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

import pytest

from edge_runtime.files.read import parse_toml
from tests.loop.parts import within
from tests.sources.clips import write_clip
from tests.tiny import boxes_v8, write_onnx

FRAMES = 150
COMMAND = ("-m", "edge_runtime.cli.detect")
SCRIPT = ("-c", "import sys; from edge_runtime.cli._early import detect; sys.exit(detect())")
ZONE = {"name": "all", "points": [[0, 0], [1, 0], [1, 1], [0, 1]]}
SITE = """# ours
engine = "tiny.onnx"
family = "yolo_v8"
labels = "a,b,c"
tune = "off"
threads = 1
target_fps = 30
{more}
[[stream]]
name = "a"          # the first
source = "clip.mp4"
conf = {conf}
output = "a.jsonl"
"""
SECOND = """
[[stream]]
name = "b"
source = "clip.mp4"
output = "b.jsonl"
"""


def _hear() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup


def _take_terminal() -> None:
    _hear()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _take_terminal_and_ignore() -> None:
    _take_terminal()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does


class Running:
    """edge-detect with a configuration, in a process of its own."""

    def __init__(
        self, folder: Path, terminal: Optional[int] = None, frames: int = FRAMES, nohup: bool = False,
        start: Sequence[str] = COMMAND, **said: Any,
    ) -> None:  # fmt: skip
        self.folder, self.file = folder, folder / "site.toml"
        write_onnx(folder / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1), (10, 10, 8, 8, 0.4, 0))})
        write_clip(folder / "clip.mp4", frames)
        self.write(**said)
        command = [sys.executable, *start, "--config", str(self.file)]
        with open(folder / "said.txt", "w", encoding="utf-8") as said_to:
            take = _take_terminal_and_ignore if nohup else _take_terminal
            first = _hear if terminal is None else take
            self.process = subprocess.Popen(
                command, stdin=terminal, stderr=said_to, cwd="/", start_new_session=True, preexec_fn=first
            )

    def write(self, conf: float = 0.5, more: str = "", after: str = "") -> None:
        self.file.write_text(SITE.format(conf=conf, more=more) + after, encoding="utf-8")

    def said(self) -> str:
        return (self.folder / "said.txt").read_text(encoding="utf-8")

    def rows(self, name: str = "a") -> List[Dict[str, Any]]:
        path = self.folder / f"{name}.jsonl"
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def reload(self, answer: str) -> None:
        self.process.send_signal(signal.SIGHUP)
        assert within(20, lambda: answer in self.said()), self.said()

    def end(self) -> None:
        assert self.process.wait(60) == 0, self.said()


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Any]:
    runs: List[Running] = []

    def begin(**said: Any) -> Running:
        runs.append(Running(tmp_path, **said))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            os.kill(run.process.pid, signal.SIGKILL)
            run.process.wait()


@pytest.fixture
def started(begun: Any) -> Any:
    def start(**said: Any) -> Running:
        run: Running = begun(**said)
        assert within(60, lambda: len(run.rows()) > 3), run.said()
        return run

    return start


def hears_hangup(pid: int) -> bool:
    """Whether a process has a handler for SIGHUP, the first signal."""
    (mask,) = (
        line
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("SigCgt:")
    )
    return int(mask.split()[1], 16) & 1 == 1


def test_a_signal_before_anything_is_loaded_waits(begun: Any) -> None:
    run = begun(frames=30, start=SCRIPT)
    assert within(60, lambda: hears_hangup(run.process.pid))
    assert "tiny.onnx" not in run.said()
    run.reload("is read again: no change")
    run.end()
    assert len(run.rows()) == 30


def test_a_signal_at_the_start_waits(begun: Any) -> None:
    run = begun(frames=30)
    assert within(60, lambda: "tiny.onnx: yolo_v8" in run.said()), run.said()
    run.reload("is read again: no change")
    run.end()
    assert len(run.rows()) == 30


def test_thresholds_zones_and_streams_change_without_a_gap(started: Any) -> None:
    run = started()
    run.write(conf=0.2, after=f"zones = [{{ name = 'z', fractions = {ZONE['points']} }}]\n{SECOND}")
    run.reload("site.toml is read again: added b; changed a")
    assert within(20, lambda: len(run.rows("b")) > 2)
    run.write(conf=0.95, more="max_frames = 9")
    run.reload("changed a; removed b; only at the next start max_frames")
    run.write(conf=0.01)
    run.reload("above 0.01, and the detector reports those above 0.1; the settings before go on")
    run.file.write_text("conf = = 3", encoding="utf-8")
    run.reload("is not TOML")
    run.end()
    rows = run.rows()
    assert [row["frame"] for row in rows] == list(range(FRAMES)), "no frame is lost"
    counts = [len(row["detections"]) for row in rows]
    assert [count for place, count in enumerate(counts) if place == 0 or counts[place - 1] != count] == [1, 2, 0]
    assert any(row.get("zones", {}).get("z", {}).get("count") for row in rows) and "zones" not in rows[-1]
    assert [row["frame"] for row in run.rows("b")] == list(range(len(run.rows("b"))))


def test_zones_of_the_page_go_into_the_file(started: Any) -> None:
    pytest.importorskip("h11")
    from urllib.request import Request, urlopen

    run = started(more="output = 'http://127.0.0.1:0'\ntrack = true")
    assert within(20, lambda: "page: http" in run.said()), run.said()
    address = run.said().split("page: ")[1].split()[0]
    body = json.dumps({"stream": "a", "lines": [], "zones": [ZONE]}).encode()
    asked = Request(f"{address}zones", body, {"Content-Type": "application/json"}, method="PUT")
    with urlopen(asked, timeout=20) as answer:
        assert json.loads(answer.read())["saved"] is True
    text = run.file.read_text(encoding="utf-8")
    table = parse_toml(text)["stream"][0]
    assert table["zones"] == [{"name": "all", "fractions": ZONE["points"]}] and table["conf"] == 0.5
    assert text.startswith("# ours\n") and "# the first" in text
    run.end()
    rows = run.rows()
    assert [row["frame"] for row in rows] == list(range(FRAMES)) and rows[-1]["zones"]["all"]["count"] == 1


def test_the_end_of_the_terminal_ends_the_run(started: Any) -> None:
    """With a terminal too, SIGHUP of somebody else reloads."""
    ours, its = pty.openpty()
    run = started(terminal=its, conf=0.2, frames=10 * FRAMES)
    os.close(its)
    run.write(conf=0.95)
    run.reload("is read again: changed a")
    os.close(ours)
    run.end()
    rows = run.rows()
    assert [row["frame"] for row in rows] == list(range(len(rows))) and len(rows) < 10 * FRAMES


def test_with_nohup_the_end_of_the_terminal_is_not_the_end(started: Any) -> None:
    ours, its = pty.openpty()
    run = started(terminal=its, nohup=True)
    os.close(its)
    os.close(ours)
    assert within(20, lambda: "is read again: no change" in run.said()), run.said()
    run.end()
    assert [row["frame"] for row in run.rows()] == list(range(FRAMES))
