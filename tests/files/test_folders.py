"""Folders are filled before anybody sees them, and scratch folders do not outlive their process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.errors import SourceError, UsageError
from edge_runtime.files.folders import replacing_folder, scratch_folder

OURS = r"\d+\.png"


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A folder of an earlier run."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set/1.png").write_text("earlier", encoding="utf-8")
    return tmp_path / "set"


def test_a_new_folder_takes_the_place_of_the_old_one(earlier: Path) -> None:
    with replacing_folder(earlier, OURS) as new:
        (new / "2.png").write_text("now", encoding="utf-8")
        assert os.listdir(earlier) == ["1.png"], "nobody sees it before it is whole"
    assert os.listdir(earlier) == ["2.png"] and os.listdir(earlier.parent) == ["set"]


@pytest.mark.parametrize("error", [SourceError("gone"), KeyboardInterrupt(), OSError(28, "No space left")])
def test_what_breaks_off_leaves_the_old_one(earlier: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), replacing_folder(earlier, OURS) as new:
        (new / "2.png").write_text("half", encoding="utf-8")
        raise error
    assert os.listdir(earlier) == ["1.png"] and os.listdir(earlier.parent) == ["set"]


@pytest.mark.parametrize("name", ["notes.txt", "holiday.jpg", "1.png.bak", ".hidden"])
def test_a_folder_of_the_user_is_not_replaced(earlier: Path, name: str) -> None:
    (earlier / name).write_text("dear", encoding="utf-8")
    with pytest.raises(UsageError, match="which no earlier run has made"), replacing_folder(earlier, OURS):
        pass
    assert sorted(os.listdir(earlier)) == sorted([name, "1.png"])


def test_through_a_link(earlier: Path) -> None:
    (earlier.parent / "link").symlink_to("set")
    with replacing_folder(earlier.parent / "link", OURS) as new:
        (new / "2.png").write_text("now", encoding="utf-8")
    assert (earlier.parent / "link").is_symlink() and os.listdir(earlier) == ["2.png"]


def test_a_folder_that_a_killed_run_had_moved_away_comes_back(earlier: Path) -> None:
    os.rename(earlier, earlier.parent / ".set.123.new.old")  # killed between its two renames
    (earlier.parent / ".set.123.new").mkdir()
    (earlier.parent / ".set.5.123.new").mkdir()  # of a folder "set.5"
    with pytest.raises(SourceError), replacing_folder(earlier, OURS):
        raise SourceError("the next one fails")
    assert sorted(os.listdir(earlier.parent)) == [".set.5.123.new", "set"] and os.listdir(earlier) == ["1.png"]


def test_what_a_killed_run_left_beside_a_whole_folder_goes(earlier: Path) -> None:
    for left in (".set.123.new.old", ".set.123.new"):
        (earlier.parent / left).mkdir()
        (earlier.parent / left / "0.png").write_text("half", encoding="utf-8")
    with replacing_folder(earlier, OURS) as new:
        (new / "2.png").write_text("now", encoding="utf-8")
    assert os.listdir(earlier.parent) == ["set"] and os.listdir(earlier) == ["2.png"]


KILLED = """
import os, sys, time
from pathlib import Path
from edge_runtime.files.folders import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "big").write_text("half")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_run_left_goes_with_the_next_and_what_is_in_use_stays(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "n.plan")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        with scratch_folder(tmp_path / "n.plan") as folder:
            assert folder != left and (left / "big").exists(), "another run works in it"
        process.send_signal(signal.SIGKILL)
    assert os.listdir(tmp_path) == [left.name]
    with scratch_folder(tmp_path / "n.plan"):
        assert not left.exists()
    assert not os.listdir(tmp_path)
