"""Switching modes with a program that behaves like nvpmodel, and misbehaves in the ways seen on boards."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from standins import nvpmodel as standin

from edge_runtime.cli import jetson
from edge_runtime.errors import BoardError, UsageError
from edge_runtime.jetson import caps, hold, nvpmodel, switch
from edge_runtime.jetson.hold import Hold
from edge_runtime.jetson.probe import Probe

XAVIER, ORIN_NANO, ORIN = "agx-xavier_l4t35", "orin-nano_l4t36", "agx-orin_l4t36"


def mode_of(root: Path) -> str:
    return nvpmodel.current_name(root)


def set_(root: Path, wanted: str, **kwargs: float) -> None:
    conf = nvpmodel.load_conf(root)
    switch.set_mode(root, conf, nvpmodel.resolve(conf, wanted)[0], settle_s=0, **kwargs)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [(XAVIER, "15W"), (XAVIER, "MAXN"), ("agx-xavier_l4t32", "30W"), ("nano_l4t32", "5W"), ("orin-nx_l4t35", "10W"),
     (ORIN_NANO, "25W"), (ORIN_NANO, "15W"), ("xavier-nx_l4t35", "20"), ("agx-thor_l4t38", "120W")],
)  # fmt: skip
def test_a_switch_takes_and_is_read_back(live_board, name, wanted):
    root = live_board(name)
    conf = nvpmodel.load_conf(root)
    mode = nvpmodel.resolve(conf, {"20": "MODE_20W_4CORE"}.get(wanted, wanted))[0]
    slept = []
    switch.set_mode(root, conf, mode, settle_s=10.0, sleep=slept.append)
    assert mode_of(root) == mode.name and caps.compare_caps(root, conf, mode).differing == ()
    assert standin.calls(root) == [f"-m {mode.id}", "-q"] and slept == [10.0]


def test_a_reboot_is_predicted_and_nothing_is_called(live_board):
    """Trap 2: nvpmodel would ask, and wait for an answer."""
    root = live_board(ORIN)
    with pytest.raises(BoardError, match="MODE_15W needs a reboot: TPC_PG_MASK is 240, MODE_15W wants 248"):
        set_(root, "15W")
    assert standin.calls(root) == [] and mode_of(root) == "MODE_30W"


@pytest.mark.parametrize(
    ("misbehave", "message"),
    [
        ("reboot", "needs a reboot, which was declined"),  # asked though the masks agree; exit code 0
        ("reboot code", "needs a reboot, which was declined"),
        ("chroot", "does nothing inside a container"),  # trap 3
        ("eacces zero", "refused MODE_15W: NVPM ERROR: Error opening"),  # trap 3: exit code 0 beside an error
        ("eacces", r"nvpmodel failed \(255\): NVPM ERROR: Error opening"),
        ("boot", r"nvpmodel failed \(234\): NVPM ERROR: failed to set"),  # trap 5
        ("stale", "MODE_15W did not take: CPU_ONLINE CORE_4 is 1, MODE_15W wants 0"),
        ("half", "MODE_15W did not take: GPU MAX_FREQ is 905250000, MODE_15W wants 670000000"),
        ("forget", "MODE_15W was not taken: nvpmodel -q says mode 3"),  # trap 4
    ],
)
def test_lies_are_found_out(live_board, misbehave, message):
    with pytest.raises(BoardError, match=message) as caught:
        set_(live_board(XAVIER, misbehave), "15W")
    assert caught.value.hint


def test_a_program_that_hangs_is_ended_with_its_children(live_board):
    root, started = live_board(XAVIER, "hang"), time.monotonic()
    with pytest.raises(BoardError, match=r"did not answer within 0\.5 s"):
        set_(root, "15W", timeout_s=0.5)
    assert time.monotonic() - started < 20
    with pytest.raises(BoardError, match="did not answer"):
        switch.run_nvpmodel(root, switch.NVPMODEL, ["-q"], 0.5)


def test_an_unprivileged_answer_is_still_an_answer(live_board):
    """-q prints errors about files it may not read, and is right all the same."""
    set_(live_board(XAVIER, "unprivileged"), "15W")


def test_no_program_is_said(board_tree):
    with pytest.raises(BoardError, match="no nvpmodel here") as caught:
        set_(board_tree(XAVIER), "15W")
    assert "docker/run.sh" in str(caught.value.hint)


def test_without_root_nothing_is_run(monkeypatch):
    monkeypatch.setattr(switch.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(switch, "_executable", lambda root, program: "/bin/true")
    with pytest.raises(BoardError, match="nvpmodel needs root"):
        switch.run_nvpmodel(Path("/"), switch.NVPMODEL, ["-m", "0"], 1.0)


def test_a_mode_is_held_and_put_back(live_board):
    root = live_board(XAVIER)
    with Hold(root, settle_s=0) as held:
        assert held.set("15W") == "MODE_15W" and mode_of(root) == "MODE_15W"
        written = hold.mode_held(root)
        assert written is not None and (written.before, written.mode, written.pid) == (3, "MODE_15W", os.getpid())
        assert held.set("MAXN") == "MAXN" and hold.mode_held(root).before == 3
        assert hold.recover(root) == "", "its process is alive"
    assert mode_of(root) == "MODE_30W_ALL" and hold.mode_held(root) is None


def test_it_is_put_back_after_an_error_and_an_interrupt(live_board):
    for error in (ValueError, KeyboardInterrupt):
        root = live_board(XAVIER)
        with pytest.raises(error), Hold(root, settle_s=0) as held:
            held.set("15W")
            raise error
        assert mode_of(root) == "MODE_30W_ALL"
        break_down(root)


def break_down(root: Path) -> None:
    import shutil

    shutil.rmtree(root)


@pytest.mark.parametrize(("misbehave", "kept"), [("chroot", False), ("stale", False), ("half", True)])
def test_after_a_refusal_there_is_something_to_put_back_or_there_is_not(live_board, misbehave, kept):
    root = live_board(XAVIER, misbehave)
    with pytest.raises(BoardError):
        Hold(root, settle_s=0).set("15W")
    assert (hold.mode_held(root) is not None) == kept


def test_a_refused_reboot_writes_nothing_down(live_board):
    root = live_board(ORIN)
    with pytest.raises(BoardError, match="needs a reboot"), Hold(root, settle_s=0) as held:
        held.set("15W")
    assert hold.mode_held(root) is None and standin.calls(root) == []


def test_a_mode_that_another_process_holds_is_left_alone(live_board):
    root = live_board(XAVIER)
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert Hold(root, owner=sleeper.pid, settle_s=0).set("15W") == "MODE_15W"
        with pytest.raises(BoardError, match=f"process {sleeper.pid} holds"), Hold(root, settle_s=0) as refused:
            refused.set("MAXN")
        assert mode_of(root) == "MODE_15W", "nor put back at the end of a run that was refused it"
        for attempt in (lambda: Hold(root, settle_s=0).set("MAXN"), lambda: hold.set_for_good(root, "MAXN", 0)):
            with pytest.raises(BoardError, match=f"process {sleeper.pid} holds MODE_15W"):
                attempt()
        with pytest.raises(BoardError, match="holds MODE_15W"):
            jetson.run(argparse.Namespace(sysroot=str(root), command="restore", owner=None))
        assert hold.recover(root) == "" and mode_of(root) == "MODE_15W"
    finally:
        sleeper.kill()
        sleeper.wait()
    assert hold.recover(root) == f"process {sleeper.pid} was killed and left MODE_15W behind: MODE_30W_ALL is back"
    assert mode_of(root) == "MODE_30W_ALL" and hold.recover(root) == ""


def test_what_a_killed_run_left_is_still_put_back_by_the_next(live_board, monkeypatch):
    """A script's `set` does not put it back first: the mode of before the killed run must not be lost."""
    root = live_board(XAVIER)
    Hold(root, settle_s=0).set("15W")
    monkeypatch.setattr(hold, "_boot", lambda: "another")
    Hold(root, settle_s=0).set("MAXN")
    assert hold.mode_held(root).before == 3 and hold.restore(root).name == "MODE_30W_ALL"


def test_a_mode_that_stands_needs_nothing(live_board):
    """Not even root; but where its caps are others, it is set."""
    root = live_board(XAVIER)
    with Hold(root, settle_s=0) as held:
        assert held.set("30W").startswith("30W is MODE_30W_ALL here")
        assert standin.calls(root) == [] and hold.mode_held(root) is None
        (root / "sys/class/devfreq/17000000.gv11b/max_freq").write_text("675750000\n", encoding="utf-8")
        held.set("30W")
        assert standin.calls(root)[0] == "-m 3" and Probe(root).read().clocks["gpu_max_mhz"] == 905.25


def test_another_boot_ends_what_was_held(live_board, monkeypatch):
    root = live_board(XAVIER)
    Hold(root, settle_s=0).set("15W")
    monkeypatch.setattr(hold, "_boot", lambda: "another")
    assert "MODE_30W_ALL is back" in hold.recover(root)


def test_clocks_are_held_at_each_modes_caps_and_freed(live_board):
    root = live_board(ORIN_NANO)
    free = Probe(root).read().clocks["gpu_min_mhz"]
    with Hold(root, jetson_clocks=True, settle_s=0) as held:
        for wanted in ("15W", "25W"):
            held.set(wanted)
            assert Probe(root).locked
    assert not Probe(root).locked and mode_of(root) == "MAXN_SUPER"
    assert [call for call in standin.calls(root) if "clocks" in call] == [
        "clocks --store", "clocks", "clocks --restore", "clocks --store", "clocks", "clocks --restore"]  # fmt: skip
    assert free == 306.0


def test_clocks_that_stay_free_are_an_error(live_board):
    root = live_board(ORIN_NANO, "free")
    with pytest.raises(BoardError, match="did not hold the GPU's clock"), Hold(
        root, jetson_clocks=True, settle_s=0
    ) as held:
        held.set("15W")
    assert mode_of(root) == "MAXN_SUPER"


def test_limits_that_were_stored_are_put_back_once(live_board):
    """A run whose switch fails before it stores any must not put back those of an earlier run."""
    root = live_board(ORIN_NANO)
    with Hold(root, jetson_clocks=True, settle_s=0) as held:
        held.set("15W")
    assert not (root / switch.STORED_CLOCKS).exists()
    before = standin.calls(root)
    switch.free_clocks(root)
    assert standin.calls(root) == before


def test_an_unknown_mode_and_an_unknown_state(live_board):
    root = live_board(XAVIER)
    with pytest.raises(UsageError, match="no power mode '99W'"):
        Hold(root).set("99W")
    (root / nvpmodel.STATUS).unlink()
    with pytest.raises(BoardError, match="the current power mode is not known"):
        Hold(root, settle_s=0).set("15W")


def test_a_recorded_mode_that_is_gone_is_not_called_back(live_board, monkeypatch):
    """The configuration was edited after the kill: nothing is set, the record stays, and there is a way out."""
    root = live_board(XAVIER)
    Hold(root, settle_s=0).set("15W")
    record = json.loads((root / hold.STATE).read_text(encoding="utf-8"))
    (root / hold.STATE).write_text(json.dumps({**record, "before": 77}), encoding="utf-8")
    monkeypatch.setattr(hold, "_boot", lambda: "another")
    for attempt in (hold.recover, hold.restore):
        with pytest.raises(BoardError, match="mode 77 is to be put back") as caught:
            attempt(root)
        assert "MODE_30W_ALL" in caught.value.hint and hold.mode_held(root).before == 77
    assert mode_of(root) == "MODE_15W"
    hold.set_for_good(root, "MAXN", 0)
    assert hold.mode_held(root) is None and hold.recover(root) == ""


def test_nothing_is_set_that_could_not_be_put_back(live_board):
    root = live_board(XAVIER)
    (root / "var/lib/edge-runtime").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(BoardError, match=r"power.json cannot be written"):
        Hold(root, settle_s=0).set("15W")
    assert standin.calls(root) == []


def test_the_boards_own_python_needs_nothing_but_itself(live_board):
    """`python3 -m edge_runtime.cli.jetson`, isolated from site-packages."""
    root = live_board(XAVIER)
    package = str(Path(__file__).resolve().parents[2])
    code = (
        "import runpy, sys; sys.path.insert(0, sys.argv.pop(1));"
        "runpy.run_module('edge_runtime.cli.jetson', run_name='__main__')"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", "-c", code, package, *arguments]
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=60, env={"EDGE_SYSROOT": str(root)}
        )

    said = run("set", "15W", "--dry-run").stdout
    assert said.startswith(
        "MODE_15W: nvpmodel -m 2, without a reboot; the mode is MODE_30W_ALL now\n  cores 4, 8 now\n"
    )
    assert run("set", "15W", "--settle", "0", "--owner", str(os.getpid())).stdout == "MODE_15W\n"
    assert run("restore", "--owner", str(os.getpid())).stdout == "MODE_30W_ALL is back\n"
    assert run("restore").stdout == "no run has left a mode behind\n"
    refused = run("set", "10W", "--settle", "0")
    assert refused.returncode == 1 and refused.stderr.startswith("error: MODE_10W needs a reboot: TPC_PG_MASK is 0")
    assert "hint: sudo nvpmodel -m 1 asks" in refused.stderr
    assert run("set", "15W", "--settle", "0").returncode == 0 and mode_of(root) == "MODE_15W"


def test_a_missing_sysroot_is_wrong_usage(capsys):
    with pytest.raises(SystemExit) as caught:
        jetson.main(["restore", "--sysroot", "/none"])
    assert caught.value.code == 2 and "no such directory" in capsys.readouterr().err
