"""Progress where there is no terminal: plain lines, only for what takes long, and never on stdout."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Iterator

import pytest

from edge_runtime.cli import _progress
from tests.tiny import boxes_v8, write_onnx


class Told(io.StringIO):
    """A stderr that is no terminal, and sets an event when a line has come."""

    def __init__(self) -> None:
        super().__init__()
        self.line = threading.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if text.endswith("\n"):
            self.line.set()
        return written

    def wait(self) -> str:
        """The next line."""
        assert self.line.wait(30), "not a word"
        self.line.clear()
        return self.getvalue().splitlines()[-1]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "progress"]


def replaced(monkeypatch: pytest.MonkeyPatch, told: Told) -> Told:
    """Puts it in the place of stderr; pytest has its own there until the test begins."""
    monkeypatch.setattr(sys, "stderr", told)
    monkeypatch.setattr(_progress, "INTERVAL_S", 0.02)
    return told


def test_a_line_says_what_is_counted_and_for_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = replaced(monkeypatch, Told())
    with _progress.progress() as bar:
        tick = bar("images", 40)
        for _ in range(12):
            tick()
        stderr.line.clear()
        assert re.fullmatch(r"images 12/40, \d+ s", stderr.wait())
        bar("speed", 3)()
        stderr.line.clear()
        assert re.fullmatch(r"(images 12/40|speed 1/3), \d+ s", stderr.wait())
        stderr.line.clear()
        assert re.fullmatch(r"speed 1/3, \d+ s", stderr.wait())


def test_work_that_does_not_say_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = replaced(monkeypatch, Told())
    with _progress.fraction("building fp16") as tell:
        assert re.fullmatch(r"building fp16, \d+ s", stderr.wait())
        tell(0.25, "tactics")
        stderr.line.clear()
        stderr.wait()
        assert re.fullmatch(r"building fp16 tactics 25%, \d+ s", stderr.wait())


def test_a_terminal_says_the_phase_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with _progress.fraction("building fp16") as tell:
        tell(0.25, "tac[red]tics")
        time.sleep(0.3)
    assert "building fp16 tac[red]tics" in terminal.getvalue()


def test_what_is_soon_done_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    monkeypatch.setattr(sys, "stderr", told)
    with _progress.progress() as bar:
        bar("images", 1)()
    assert _progress.INTERVAL_S == 5.0 and told.getvalue() == ""


def test_a_stderr_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(Told):
        def write(self, text: str) -> int:
            super().write("\n")
            raise BrokenPipeError

    told = replaced(monkeypatch, Gone())
    with _progress.progress() as bar:
        bar("images", 2)
        told.wait()
        told.wait()


def test_edge_detect_keeps_stdout_clean(tmp_path: Path) -> None:
    engine = write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    code = "from edge_runtime.cli import _progress, detect; _progress.INTERVAL_S = 0.1; raise SystemExit(detect.main())"
    words = ["synthetic://64x48@50", "--duration", "2", "--json", "--family", "yolo_v8", "--labels", "a,b,c"]
    done = subprocess.run(
        [sys.executable, "-c", code, engine, *words], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0 and json.loads(done.stdout)["frames"] > 1, done.stderr
    assert len(re.findall(r"^[\d.]+ FPS  latency .* \d+ frames?", done.stderr, re.M)) >= 2, done.stderr
