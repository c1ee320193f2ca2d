"""The parts of the soaks: times in pictures, what a process holds, which results show the past. No figure is judged."""

from __future__ import annotations

import importlib
import os
import subprocess
import time
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

import numpy as np
import pytest

from edge_runtime.types import Detections, Frame, Result
from tests.sources.stamped import draw, taken_s

ROOT = Path(__file__).resolve().parents[2]
Tool = Callable[[str], ModuleType]
NOTHING = Detections.from_rows(np.zeros((0, 6), np.float32), ["car"])


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Tool:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module


@pytest.mark.parametrize("size", [(360, 640), (270, 480)])
def test_the_time_in_a_picture(size: Any) -> None:
    image = np.random.default_rng(1).integers(0, 255, (*size, 3)).astype(np.uint8)
    now_s = 4294967.4  # where 32 bits of milliseconds begin again
    for late_s in (-1.0, 0.0, 0.25, 30.0):
        draw(image, int((now_s - late_s) * 1e3))
        assert taken_s(image, now_s) == pytest.approx(now_s - late_s, abs=2e-3)
    image[:, : size[1] // 40] ^= 0x80
    assert taken_s(image, now_s) is None, "one bit is another one"


def result(taken: float, source: str = "gate") -> Result:
    image = np.zeros((360, 640, 3), np.uint8)
    draw(image, int(taken * 1e3))
    return Result(Frame(image, source, 0, 0.0), NOTHING)


def test_results_of_the_past_and_those_that_come_again(tool: Tool) -> None:
    seen, now_s = tool("soaking.seen").Seen(), time.monotonic()
    for taken in (now_s - 5, now_s - 0.2, now_s - 0.2, now_s):
        seen.write(result(taken))
    seen.write(Result(Frame(np.zeros((360, 640, 3), np.uint8) + 200, "gate", 0, 0.0), NOTHING))
    assert (seen.count, seen.stale, seen.again, seen.unread) == (5, 1, 1, 1) and 5 <= seen.oldest_s < 60
    assert len(seen.between("gate", now_s, now_s + 60)) == 4 and seen.gap_s("yard", now_s, now_s + 3) == 3
    assert seen.first("gate", lambda one: one.taken_s > now_s - 0.1, now_s, 1).size == "640x360"
    assert seen.first("gate", lambda one: one.size == "1x1", now_s, 0.05) is None


def test_what_a_process_holds_and_how_it_grows(tool: Tool) -> None:
    process = tool("soaking.process")
    pipes = os.pipe()
    with subprocess.Popen(["sleep", "60"]) as one, subprocess.Popen(["sleep", "60"], pass_fds=pipes) as other:
        first, second = process.held(one.pid), process.held(other.pid)
        one.kill()
        other.kill()
    for each in pipes:
        os.close(each)
    assert second["descriptors"] == first["descriptors"] + 2 and first["threads"] == 1 and first["rss_mib"] > 0
    samples = [
        {"at_s": 36.0 * n, "rss_mib": 100.0 + n, "descriptors": 9, "threads": 3, "load": 1.0} for n in range(100)
    ]
    memory, descriptors, _ = process.growth(samples, 360.0).data
    assert memory["slope"] == pytest.approx(100) and (memory["least"], memory["most"]) == (110, 199)
    assert (memory["begin"], memory["end"]) == (114, 195) and descriptors["slope"] == pytest.approx(0)
