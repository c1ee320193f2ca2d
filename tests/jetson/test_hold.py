"""What another process holds is its own: also when it takes it between one look and the next."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from edge_runtime.errors import BoardError
from edge_runtime.jetson import hold, lock, nvpmodel
from edge_runtime.jetson.hold import HeldMode, Hold


@pytest.fixture
def theirs() -> Iterator[HeldMode]:
    """What a process that lives has written down: MAXN is to be put back."""
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    yield HeldMode(0, "MODE_15W", False, sleeper.pid, hold._started(sleeper.pid), hold._boot())
    sleeper.kill()
    sleeper.wait()


def write(root: Path, held: HeldMode) -> None:
    path = root / hold.STATE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(held)), encoding="utf-8")


@pytest.fixture
def they_were_faster(theirs: HeldMode, monkeypatch: pytest.MonkeyPatch) -> HeldMode:
    """They take the mode while somebody else waits for the lock."""
    locked = lock.locked

    @contextmanager
    def later(state: Path, ask: Callable[[], Any] = lambda: None) -> Iterator[None]:
        with locked(state, ask):
            state.write_text(json.dumps(asdict(theirs)), encoding="utf-8")
            yield

    monkeypatch.setattr(lock, "locked", later)
    return theirs


def test_a_process_that_lives_is_told_from_one_of_the_same_number(theirs: HeldMode) -> None:
    assert int(theirs.started) > 0, "ticks since boot"
    assert theirs.alive and not replace(theirs, started="1").alive and not replace(theirs, boot="another").alive


def test_the_end_of_a_run_leaves_their_mode_alone(switching_board: Path, theirs: HeldMode) -> None:
    with Hold(switching_board, settle_s=0) as ours:
        ours.set("15W")
        write(switching_board, theirs)
    assert hold.mode_held(switching_board) == theirs and nvpmodel.current_name(switching_board) == "MODE_15W"


@pytest.mark.parametrize(
    "setting", [lambda root: Hold(root, settle_s=0).set("15W"), lambda root: hold.set_for_good(root, "15W", 0)]
)
def test_who_comes_second_sets_nothing(
    switching_board: Path, they_were_faster: HeldMode, setting: Callable[[Path], str]
) -> None:
    with pytest.raises(BoardError, match=f"process {they_were_faster.pid} holds MODE_15W"):
        setting(switching_board)
    assert hold.mode_held(switching_board) == they_were_faster
    assert nvpmodel.current_name(switching_board) == "MODE_30W_ALL"


def test_recovery_puts_nothing_back_that_they_hold_by_now(switching_board: Path, they_were_faster: HeldMode) -> None:
    write(switching_board, replace(they_were_faster, started="1"))
    assert hold.recover(switching_board) == "" and hold.mode_held(switching_board) == they_were_faster
    assert nvpmodel.current_name(switching_board) == "MODE_30W_ALL"


@pytest.mark.parametrize("clocks", [False, True])
def test_after_a_refusal_held_clocks_stay_written_down(live_board: Callable[..., Path], clocks: bool) -> None:
    """Caps tell that no mode was set; of clocks they tell nothing."""
    root = live_board("test-board", "eacces")
    with pytest.raises(BoardError):
        Hold(root, jetson_clocks=clocks, settle_s=0).set("15W")
    assert (hold.mode_held(root) is not None) == clocks
