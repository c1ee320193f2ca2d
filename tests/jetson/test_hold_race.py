"""Many processes set a power mode at one moment: one wins, the others are told who, and its mode is put back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Callable, List, Tuple

import pytest

from edge_runtime.errors import BoardError
from edge_runtime.jetson import hold, lock, nvpmodel

PROCESSES = 15
RACER = """
import sys, time
from pathlib import Path
from edge_runtime.errors import BoardError
from edge_runtime.jetson.hold import Hold

root, wanted = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
while not (root / "go").exists():
    time.sleep(0.001)
try:
    with Hold(root, settle_s=0) as hold:
        hold.set(wanted)
        print("won", flush=True)
        sys.stdin.readline()
except BoardError as error:
    print(error, flush=True)
"""
RECOVER = """
import sys
from pathlib import Path
from edge_runtime.jetson import hold

print(hold.recover(Path(sys.argv[1])))
"""


def racers(root: Path) -> List[subprocess.Popen[str]]:
    started = [
        subprocess.Popen([sys.executable, "-c", RACER, str(root), wanted], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, encoding="utf-8")
        for wanted, _ in zip(["15W", "MAXN"] * PROCESSES, range(PROCESSES))
    ]  # fmt: skip
    assert all(process.stdout.readline() == "ready\n" for process in started)
    return started


def test_one_wins_and_its_mode_is_put_back(live_board: Callable[..., Path]) -> None:
    root = live_board("test-board")
    before = nvpmodel.current(root, nvpmodel.load_conf(root))
    started = racers(root)
    (root / "go").touch()
    said: List[Tuple[int, str]] = [(process.pid, process.stdout.readline().strip()) for process in started]
    winners = [pid for pid, line in said if line == "won"]
    held = hold.mode_held(root)
    for process in started:
        process.communicate("end\n", timeout=60)
    assert len(winners) == 1 and held is not None and held.pid == winners[0] and held.before == before.id
    told = f"process {held.pid} holds {held.mode}"
    assert [line for pid, line in said if pid != held.pid] == [told] * (PROCESSES - 1)
    assert nvpmodel.current(root, nvpmodel.load_conf(root)) == before and hold.mode_held(root) is None
    assert [process.returncode for process in started] == [0] * PROCESSES


def test_a_killed_winner_leaves_no_lock(live_board: Callable[..., Path]) -> None:
    root = live_board("test-board")
    (root / "go").touch()
    process = subprocess.Popen([sys.executable, "-c", RACER, str(root), "15W"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, encoding="utf-8")  # fmt: skip
    assert [process.stdout.readline() for _ in range(2)] == ["ready\n", "won\n"]
    process.kill()
    process.communicate()
    assert "MODE_30W_ALL is back" in hold.recover(root)


def test_several_that_recover_put_back_once(live_board: Callable[..., Path]) -> None:
    root = live_board("test-board")
    hold.Hold(root, settle_s=0).set("15W")
    record = json.loads((root / hold.STATE).read_text(encoding="utf-8"))
    (root / hold.STATE).write_text(json.dumps({**record, "boot": "another"}), encoding="utf-8")
    command = [sys.executable, "-c", RECOVER, str(root)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") for _ in range(5)]
    said = [process.communicate(timeout=60)[0].strip() for process in started]
    assert sorted(map(bool, said)) == [False] * 4 + [True]
    assert (root / "calls").read_text(encoding="utf-8").split("\n").count("-m 3") == 1


def test_who_waits_too_long_is_told(tmp_path: Path, monkeypatch) -> None:
    state = tmp_path / "lib" / "power.json"
    monkeypatch.setattr(lock, "PATIENCE_S", 0.0)
    with lock.locked(state), pytest.raises(BoardError, match="another process is setting"), lock.locked(state):
        raise AssertionError("two at once")
    with lock.locked(state):
        pass
