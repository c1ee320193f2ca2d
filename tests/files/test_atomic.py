"""Files appear whole or not at all, with the rights of the user, whatever stands at their place."""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path
from typing import Iterator

import pytest
from sinks.results import small_disk

from edge_runtime.errors import UsageError
from edge_runtime.files import atomic


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """64 KiB."""
    yield from small_disk(tmp_path / "disk", "64k")


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_users_umask_decides_who_may_read(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        atomic.replace_file(tmp_path / "a", b"text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_breaks_off_leaves_the_earlier_file_and_nothing_else(tmp_path: Path, error: type) -> None:
    (tmp_path / "a").write_bytes(b"earlier")
    with pytest.raises(error), atomic.replacing(tmp_path / "a") as file:
        file.write(b"half")
        raise error
    assert (tmp_path / "a").read_bytes() == b"earlier" and os.listdir(tmp_path) == ["a"]


def test_a_full_disk_leaves_the_earlier_file_and_nothing_else(disk: Path) -> None:
    (disk / "a").write_bytes(b"earlier")
    with pytest.raises(UsageError, match="a cannot be written: No space left"):
        atomic.replace_file(disk / "a", bytes(1 << 20))
    assert (disk / "a").read_bytes() == b"earlier" and os.listdir(disk) == ["a"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/a").write_bytes(b"earlier")
    (tmp_path / "a").symlink_to("there/a")
    (tmp_path / "new").symlink_to("there/new")
    for name in ("a", "new"):
        atomic.replace_file(tmp_path / name, b"text")
        assert (tmp_path / name).is_symlink() and (tmp_path / "there" / name).read_bytes() == b"text"


def test_devices_and_pipes_are_written_to_and_stay(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    atomic.replace_file(tmp_path / "fifo", b"text")
    assert os.read(reader, 9) == b"text" and stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
    os.close(reader)
    atomic.replace_file(Path(os.devnull), b"text")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    with pytest.raises(UsageError, match="/dev/full cannot be written: No space left"):
        atomic.replace_file(Path("/dev/full"), b"text")


@pytest.mark.parametrize("length", [255, 251, 1])
def test_the_longest_names(tmp_path: Path, length: int) -> None:
    for name in ("a" * length, "é" * (length // 2)):
        if name:
            atomic.check_writable(tmp_path / name)
            atomic.replace_file(tmp_path / name, b"text")
            assert (tmp_path / name).read_bytes() == b"text"


def test_what_a_killed_process_of_our_number_left_is_no_hindrance(tmp_path: Path) -> None:
    """In a container every run has the same number."""
    atomic.temporary(tmp_path / "a").symlink_to(tmp_path / "victim")
    (tmp_path / "victim").write_bytes(b"dear")
    atomic.replace_file(tmp_path / "a", b"text")
    assert sorted(os.listdir(tmp_path)) == ["a", "victim"] and (tmp_path / "victim").read_bytes() == b"dear"


@pytest.mark.parametrize("path", ["/proc/a", "/proc/none/a", "/dev/null/a", "/sys/none/b/c/a"])
def test_what_cannot_be_written_is_said_before_the_work(path: str) -> None:
    with pytest.raises(UsageError, match=f"{path} cannot be written"):
        atomic.check_writable(Path(path))


def test_the_check_leaves_nothing(tmp_path: Path) -> None:
    atomic.check_writable(tmp_path / "a")
    atomic.check_writable(tmp_path / "not/there/yet/a")
    assert not os.listdir(tmp_path)


def test_the_check_is_no_end_for_the_reader_of_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    atomic.check_writable(tmp_path / "pipe")
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    assert not poll.poll(0)
    os.close(reader)
