"""A step's process may hang, crash, print pages or die at its end: each is an outcome, and nothing stays behind."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable

import pytest

from edge_runtime.prove import child
from edge_runtime.prove.steps import FAILED, PASSED, SKIPPED, Step, StepResult, Task

Run = Callable[..., StepResult]
WORKER = "import json, os, signal, sys, time\nfrom edge_runtime.prove import worker\ntask = json.loads(sys.argv[1])\n"
PASS = "print(json.dumps({'state': 'passed', 'said': 'well', 'figures': {'a': 1}}))\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a program in the worker's place."""

    def work(code: str, limit_s: float = 30.0) -> StepResult:
        program = tmp_path / "worker.py"
        program.write_text(WORKER + code, encoding="utf-8")
        monkeypatch.setattr(child, "WORKER", (str(program),))
        monkeypatch.setattr(child, "GRACE_S", 0.5)
        return child.run(Step("it", "room", limit_s=limit_s), Task("room", "", "/", str(tmp_path)))

    return work


def test_what_it_says_is_the_outcome(run: Run) -> None:
    found = run(PASS)
    assert (found.state, found.said, found.figures) == (PASSED, "well", {"a": 1}) and found.seconds > 0


def test_a_remark_of_our_own_code_is_kept(run: Run) -> None:
    assert run(f"print('note: other compiler', file=sys.stderr)\n{PASS}").said == "well; note: other compiler"


def test_a_signal_is_named_with_the_last_words(run: Run) -> None:
    found = run("print('terminate called', file=sys.stderr, flush=True); os.abort()")
    assert found.state == FAILED and found.said == "its process was ended by SIGABRT: terminate called" and found.hint
    assert found.figures["stderr"] == ["terminate called"]


def test_a_death_after_passing_is_no_pass(run: Run) -> None:
    found = run(f"{PASS}sys.stdout.flush(); os.kill(os.getpid(), signal.SIGSEGV)")
    assert found.state == FAILED and found.said == "it passed (well), but at its end its process was ended by SIGSEGV"
    assert found.figures["a"] == 1


def test_an_exit_code_without_a_word(run: Run) -> None:
    assert run("sys.exit(3)").said == "its process ended with exit code 3"
    assert run("print('{}'); print('not JSON')").state == FAILED


def test_a_known_cause_is_named(run: Run) -> None:
    found = run("print('ImportError: libnvdla_compiler.so: cannot open', file=sys.stderr); sys.exit(1)")
    assert "nvidia-l4t-dla-compiler" in str(found.hint)


def test_a_hang_ends_at_its_limit_with_all_its_children(run: Run, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"if os.fork():\n    time.sleep(60)\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )
    found = run(code, limit_s=2.0)
    assert found.state == FAILED and found.said == "it did not end within 2 s" and "dmesg" in str(found.hint)
    for _ in range(100):
        if not Path("/proc", pid.read_text(encoding="utf-8"), "cwd").exists():
            break
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{pid.read_text(encoding='utf-8')}/cwd")


def test_it_is_ended_politely_first_as_a_power_mode_is_to_be_put_back(run: Run, tmp_path: Path) -> None:
    code = (
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        f"try:\n    time.sleep(60)\nfinally:\n    open({str(tmp_path / 'back')!r}, 'w').close()\n"
    )
    assert run(code, limit_s=1.0).state == FAILED and (tmp_path / "back").exists()


def test_the_real_worker_tells_skips_errors_and_faults_apart(tmp_path: Path) -> None:
    def outcome(room: str, argument: str = "") -> StepResult:
        return child.run(Step("it", room), Task(room, argument, str(tmp_path), str(tmp_path)))

    assert outcome("basics", "numpy").state == PASSED
    skipped = outcome("camera")
    assert skipped.state == SKIPPED and "no camera" in skipped.said
    failed = outcome("camera", "/dev/video99")
    assert failed.state == FAILED and "no camera /dev/video99" in failed.said and failed.hint
    fault = outcome("libraries", "no such library")
    assert fault.state == FAILED and fault.said.startswith("KeyError") and "trace" in fault.figures
