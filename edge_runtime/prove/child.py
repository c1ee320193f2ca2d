"""Runs one step in its own process. Always says how the step went, also after a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import IO, Any, Dict, List

from edge_runtime.libraries import causes
from edge_runtime.prove.steps import FAILED, PASSED, Step, StepResult, Task

WORKER = ("-m", "edge_runtime.prove.worker")
GRACE_S = 20.0  # time to put back a power mode
LAST_WORDS = 12  # lines
NOTE = "note: "  # how the remarks of our own code on stderr begin
TIME = "it may hang in a driver: see dmesg, and run this proof again after a restart"


def run(step: Step, task: Task) -> StepResult:
    """Returns how the step went. A crash or a hang is a failure. The result names its signal or its limit."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as words:
        process = _start(task, words)
        late = threading.Event()
        timer = threading.Timer(step.limit_s, lambda: _late(late, process))
        timer.daemon = True
        timer.start()
        try:
            answer = process.communicate()[0]
        except BaseException:
            end(process)
            raise
        finally:
            timer.cancel()
        said = _parsed(answer)
        words.seek(0)
        last = [line.rstrip() for line in words.read().splitlines() if line.strip()][-LAST_WORDS:]
    if "state" not in said or (said["state"] == PASSED and process.returncode):
        died = _death(process.returncode, last, step.limit_s if late.is_set() else 0.0)
        before = f"it passed ({said['said']}), but at its end " if said else ""
        said = {**said, **died, "said": before + died["said"]}
    figures = said.pop("figures", {})
    notes = [line for line in last if line.startswith(NOTE)]
    if said["state"] == FAILED:
        figures["stderr"] = last
        said["said"], said["hint"] = causes.explain(said["said"], said.get("hint"), "\n".join(last))
    elif notes:
        said["said"] = "; ".join([said["said"], *notes])
    return StepResult(step.name, seconds=round(time.monotonic() - started, 2), figures=figures, **said)


def end(process: subprocess.Popen[str]) -> None:
    """Ends a process and its children: first with SIGTERM, because it may have a power mode to put back."""
    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)


def _late(late: threading.Event, process: subprocess.Popen[str]) -> None:
    late.set()
    end(process)


def _start(task: Task, words: IO[str]) -> subprocess.Popen[str]:
    same = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # it imports what we import
    if task.root != "/":
        same["EDGE_SYSROOT"] = task.root
    return subprocess.Popen(
        [sys.executable, *WORKER, json.dumps(asdict(task))], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=words, encoding="utf-8", errors="replace", env=same, start_new_session=True,
    )  # fmt: skip


def _parsed(answer: str) -> Dict[str, Any]:
    with suppress(ValueError, IndexError):
        said: Dict[str, Any] = json.loads(answer.splitlines()[-1])
        return said
    return {}


def _death(code: int, last: List[str], limit_s: float) -> Dict[str, Any]:
    if limit_s:
        return {"state": FAILED, "said": f"it did not end within {limit_s:g} s", "hint": TIME}
    how = f"was ended by {_signal(-code)}" if code < 0 else f"ended with exit code {code}"
    fatal = [line for line in last if not line.startswith(("  File", "Current thread", "Thread", "Extension"))]
    said = f": {fatal[-1]}" if fatal else ""
    return {"state": FAILED, "said": f"its process {how}{said}", "hint": "its last lines are in the proof"}


def _signal(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
