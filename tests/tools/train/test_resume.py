"""A training that was killed ends with the same weights, wherever it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install '.[train]'")

import arguments  # noqa: E402
import continuous  # noqa: E402
import magnitude  # noqa: E402
import run as running  # noqa: E402

TOOLS = Path(__file__).resolve().parents[3] / "tools" / "train"


def values(run: running.Run) -> Dict[str, Any]:
    return {**run.net.state_dict(), **{f"ema.{name}": value for name, value in run.ema.state_dict().items()}}


METHODS = {
    "train": (running.Run, lambda: arguments.parser(None), ["--steps", 4]),
    "magnitude": (magnitude.Magnitude, magnitude.parser, ["--steps", 3, "--rounds", 2, "--rewind", 1, "--share", 0.4]),
    "continuous": (continuous.Continuous, continuous.parser, ["--steps", 3, "--rounds", 2, "--rewind", 1]),
}


def dying(function: Callable[..., Any], at: int) -> Callable[..., Any]:
    """The function, which ends the training when it is called for the `at`th time."""
    calls: List[int] = []

    def called(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == at:
            raise KeyboardInterrupt
        return function(*args)

    return called


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("where", ["_step", "next_round"])
def test_a_run_killed_anywhere_ends_with_the_same_weights(flags, tmp_path, monkeypatch, method, where):
    make, parser, more = METHODS[method]

    def run(name: str) -> running.Run:
        given = flags("--out", tmp_path / name, "--validate-every", 0, "--seed", 5, *more)
        return make(parser().parse_args(given))

    torch.manual_seed(0)
    quiet = run("whole")
    quiet.train()
    kills = 0
    while True:
        killed = run("killed")
        if kills < 3:
            monkeypatch.setattr(killed, where, dying(getattr(killed, where), 3 if where == "_step" else 1))
        try:
            killed.train()
            break
        except KeyboardInterrupt:
            kills += 1
    assert kills and killed.progress == 1 and killed.state.get("round") == quiet.state.get("round")
    for name, value in values(quiet).items():
        assert torch.equal(value, values(killed)[name]), name


def test_a_process_killed_by_the_system_goes_on(toy, folder, tmp_path):
    fixed = ["--data", folder, "--imgsz", 32, "--limit", 4, "--batch", 2, "--no-compile", "--float32", "--steps", 2,
             "--validate-every", 0, "--rounds", 1]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TOOLS.parents[1])}

    def start(name: str) -> subprocess.Popen:
        command = [sys.executable, TOOLS / "magnitude.py", *fixed, "--out", tmp_path / name]
        return subprocess.Popen(list(map(str, command)), env=environment, stdout=subprocess.DEVNULL)

    killed = start("killed")
    deadline = time.monotonic() + 200
    while not (tmp_path / "killed" / "checkpoint.pt").exists() and time.monotonic() < deadline:
        assert killed.poll() is None
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    state = torch.load(tmp_path / "killed" / "checkpoint.pt")["state"]
    assert state.get("round", 0) < 1
    assert start("killed").wait(200) == 0
    assert magnitude.main(list(map(str, [*fixed, "--out", tmp_path / "whole"]))) == 0
    one, other = (torch.load(tmp_path / name / "checkpoint.pt") for name in ("killed", "whole"))
    assert one["state"]["round"] == other["state"]["round"] == 1
    for name, value in one["net"].items():
        assert torch.equal(value, other["net"][name]), name


def test_a_folder_that_is_too_small_is_refused(toy, folder, tmp_path, capsys):
    fixed = ["--data", folder, "--out", tmp_path, "--arch", "toy", "--imgsz", 64, "--steps", 1]
    assert arguments.run(running.Run, arguments.parser(None).parse_args(list(map(str, fixed)))) == 1
    assert "has 4 images" in capsys.readouterr().err
