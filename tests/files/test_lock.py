from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.files.lock import locked

HOLD = """
import sys, time
from edge_runtime.files.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds out.json."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "out.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_run_is_refused_and_told_who_holds_it(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    with pytest.raises(UsageError, match=f"out.json is being written by process {other.pid} \\(") as raised, locked(
        tmp_path / "out.json"
    ):
        pass
    assert raised.value.hint


def test_a_lock_dies_with_its_process_and_leaves_no_file(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    with locked(tmp_path / "out.json"):
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("spelling", ["./out.json", "sub/../out.json", "link/out.json", "link.json"])
def test_one_file_has_one_lock_however_it_is_spelled(
    tmp_path: Path, spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "link.json").symlink_to("out.json")
    with locked(tmp_path / "out.json"), pytest.raises(UsageError, match="this process already"), locked(spelling):
        pass


def test_other_files_are_free_and_a_lock_ends_with_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path / "a", tmp_path / "b", tmp_path / "not" / "there"):
            pass
    with pytest.raises(UsageError), locked(tmp_path / "a", tmp_path / "a"):
        pass
    with locked(tmp_path / "a"):
        pass


def test_devices_and_pipes_may_be_shared(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with locked(os.devnull, tmp_path / "fifo"), locked(os.devnull, tmp_path / "fifo"):
        pass


def test_a_program_that_was_started_does_not_keep_the_lock(tmp_path: Path) -> None:
    with locked(tmp_path / "a"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        time.sleep(0.1)
        with locked(tmp_path / "a"):
            pass
    finally:
        child.kill()
        child.wait()
