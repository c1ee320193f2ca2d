"""docker/run.sh: power modes, signals, sweeps and usage, with an executable in docker's place."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from standins import nvpmodel as standin
from standins.container_host import DOCKER, TIMEOUT_S, Machine, executable, value, write

from edge_runtime.jetson import nvpmodel


def test_the_mode_is_set_before_and_put_back_after(orin):
    done = orin.run("--power-mode", "15W", "--jetson-clocks", "--", "edge-detect", "--camera", "0")
    assert (done.returncode, done.stdout) == (0, "") and orin.steps() == ["set 15W", "run", "restore"]
    (setting, container, _) = orin.calls()
    assert "--jetson-clocks" in setting and value(setting, "--owner")[0].isdigit()
    assert container[-4:] == ["edge-runtime:jetpack6", "edge-detect", "--camera", "0"]


def test_without_a_mode_the_host_is_left_alone(orin):
    assert orin.run("edge-doctor").returncode == 0 and orin.steps() == ["run"]


def test_the_command_s_exit_code_is_ours_and_the_mode_is_put_back(orin):
    assert orin.run("--power-mode", "15W", "detect", CODE="3").returncode == 3
    assert orin.steps() == ["set 15W", "run", "restore"] and orin.container()[-1] == "edge-detect"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_the_container_and_puts_the_mode_back(orin, number):
    started = time.monotonic()
    process = orin.start("--power-mode", "15W", "edge-detect", SLEEP_S="60")
    try:
        while orin.steps() != ["set 15W", "run"]:
            assert time.monotonic() < started + TIMEOUT_S and process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert process.returncode == 128 + number and orin.steps() == ["set 15W", "run", "stop", "restore"]
    assert orin.calls()[-2][-1] == value(orin.container(), "--name")[0]


def test_a_sweep_goes_on_where_rows_are_not_valid(orin):
    """edge-bench then ends with 1, and its file says why; without a file it is an error."""
    assert orin.run("--power-modes", "15W,30W", "bench", "--output", "b.json", CODE="1").returncode == 1
    assert orin.steps() == ["set 15W", "run", "restore"]
    orin.log.write_text("", encoding="utf-8")
    done = orin.run("--power-modes", "15W,30W", "bench", "--output", "b.json", CODE="1", WRITES="1")
    assert done.returncode == 1 and orin.steps() == ["set 15W", "run", "set 30W", "run", "run", "restore"]


def test_a_refusal_ends_it_before_the_container(orin):
    done = orin.run("--power-mode", "REFUSED", "edge-detect")
    assert done.returncode == 1 and "needs a reboot" in done.stderr and orin.steps() == ["set REFUSED", "restore"]


def test_a_sweep_runs_once_per_mode_and_merges(orin):
    done = orin.run("--power-modes", "15W,30W", "bench", "--engine", "a.plan", "--output", "out/b.json", "--runs", "2")
    assert done.returncode == 0, done.stderr
    assert orin.steps() == ["set 15W", "run", "set 30W", "run", "run", "restore"]
    first, second, merge = (
        call[call.index("edge-runtime:jetpack6") + 1 :] for call in orin.calls() if call[1] == "run"
    )
    command = ["edge-bench", "--engine", "a.plan", "--runs", "2", "--output"]
    assert first == [*command, "out/b.15W.json"] and second == [*command, "out/b.30W.json"]
    assert merge == ["edge-bench", "merge", "out/b.15W.json", "out/b.30W.json", "--output", "out/b.json"]


def test_a_sweep_ends_at_a_refusal_and_keeps_the_rows_so_far(orin):
    done = orin.run("--power-modes", "15W,REFUSED,30W", "bench", "--output", "b.json")
    assert done.returncode == 1 and orin.steps() == ["set 15W", "run", "set REFUSED", "restore"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["--image"], ["--speed", "edge-detect"], ["--jetson-clocks", "edge-detect"],
     ["--power-modes", "15W", "edge-detect"], ["--power-modes", "15W", "bench"],
     ["--power-modes", "15W", "bench", "--output", "/elsewhere/b.json"], ["--build", "edge-doctor"],
     ["--build", "--power-mode", "15W"], ["--build", "--camera", "0"]],
)  # fmt: skip
def test_wrong_usage_changes_nothing(orin, arguments):
    done = orin.run(*arguments)
    assert done.returncode == 2 and "hint: " in done.stderr and orin.calls() == []


def test_a_dry_run_prints_the_commands_only(orin):
    done = orin.run("--dry-run", "--power-modes", "15W,30W", "bench", "--output", "b.json")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and orin.calls() == [] and not (orin.folder / ".cache").exists()
    assert all(word in line for word, line in zip(("set 15W", "b.15W", "set 30W", "b.30W", "merge", "restore"), lines))
    assert len(lines) == 6


def test_with_the_board_s_own_python(board_tree: Any, tmp_path: Path):
    """No stand-in for the host's command: the mode of a laid-out board changes, and is back."""
    machine = Machine(tmp_path, board_tree("test-board"))
    standin.install(machine.root, "")
    before = nvpmodel.current_name(machine.root)
    quick = "#!/bin/sh\n[ $1 = restore ] || settle='--settle 0'\n"
    write(tmp_path / "host", f'{quick}exec {sys.executable} -m edge_runtime.cli.jetson "$@" $settle\n')
    seen = f'open({str(tmp_path / "seen")!r}, "w").write(open({str(machine.root / nvpmodel.STATUS)!r}).read())\n'
    executable(tmp_path / "docker", f"{seen}{DOCKER}")
    done = machine.run("--power-mode", "15W", "edge-detect", CODE="4")
    assert done.returncode == 4, done.stderr
    assert (tmp_path / "seen").read_text(encoding="utf-8").strip() == "pmode:0002" and before != "15W"
    assert nvpmodel.current_name(machine.root) == before and machine.steps() == ["run"]
