"""Files that grow: the earlier one stays until the first piece, pieces are whole, links and modes are the user's."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Iterator

import pytest

from edge_runtime.errors import SinkError, UsageError
from edge_runtime.files.growing import GrowingFile
from tests.sinks.results import small_disk


def test_the_first_piece_replaces_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("earlier, and longer than what comes", encoding="utf-8")
    file = GrowingFile(str(path))
    assert path.read_text(encoding="utf-8").startswith("earlier")
    reader = path.open()
    file.append(b"one ")
    assert path.read_text(encoding="utf-8") == "one " and reader.read().startswith("earlier"), (
        "the earlier file itself is not touched"
    )
    file.append(b"two ")
    file.patch(0, b"ONE")
    assert path.read_text(encoding="utf-8") == "ONE two " and file.size == 8 and file.read(4, 3) == b"two"
    file.close()
    file.close()
    reader.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_without_a_piece_nothing_is_made(tmp_path: Path) -> None:
    GrowingFile(str(tmp_path / "out")).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out", "l" * 255])
def test_a_file_of_the_user_beside_it_is_not_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / ".out.new").write_text("dear", encoding="utf-8")
    file = GrowingFile(str(tmp_path / name))
    file.append(b"x")
    file.close()
    assert (tmp_path / ".out.new").read_text(encoding="utf-8") == "dear" and (tmp_path / name).read_bytes() == b"x"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_mode_is_the_umasks(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        file = GrowingFile(str(tmp_path / "out"))
        file.append(b"x")
    finally:
        os.umask(before)
    file.close()
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o666 & ~umask


def test_what_a_link_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere/out")
    file = GrowingFile(str(tmp_path / "link"))
    file.append(b"x")
    file.close()
    assert (tmp_path / "link").is_symlink() and (tmp_path / "elsewhere" / "out").read_bytes() == b"x"


def test_a_second_writer_is_refused_until_the_first_closes(tmp_path: Path) -> None:
    first = GrowingFile(str(tmp_path / "out"))
    with pytest.raises(UsageError, match="being written"):
        GrowingFile(str(tmp_path / "out"))
    first.close()
    GrowingFile(str(tmp_path / "out")).close()


@pytest.mark.parametrize("removed", ["file", "folder"])
def test_removed_while_it_is_written(tmp_path: Path, removed: str) -> None:
    path = tmp_path / "folder" / "out"
    path.parent.mkdir()
    file = GrowingFile(str(path))
    file.append(b"x")
    path.unlink() if removed == "file" else shutil.rmtree(path.parent)
    with pytest.raises(SinkError, match="out' was removed while it was written") as caught:
        file.append(b"y")
    assert caught.value.hint
    file.close()


def test_removed_before_the_first_piece(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    file = GrowingFile(str(tmp_path / "folder" / "out"))
    (tmp_path / "folder").rmdir()
    with pytest.raises(SinkError, match="cannot be written: No such file or directory"):
        file.append(b"x")
    file.close()


def test_moved_while_it_is_written_it_goes_on(tmp_path: Path) -> None:
    file = GrowingFile(str(tmp_path / "out"))
    file.append(b"x")
    (tmp_path / "out").rename(tmp_path / "moved")
    file.append(b"y")
    file.close()
    assert (tmp_path / "moved").read_bytes() == b"xy"


@pytest.mark.parametrize("place", ["none/out", ".", "/proc/out"])
def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path, place: str) -> None:
    with pytest.raises(SinkError, match="cannot be written") as caught:
        GrowingFile(str(tmp_path / place)).append(b"x")
    assert caught.value.hint


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    yield from small_disk(tmp_path / "disk", "64k")


def test_a_full_disk_takes_back_half_a_piece(disk: Path) -> None:
    file, piece = GrowingFile(str(disk / "out")), bytes(10_000)
    with pytest.raises(SinkError, match="No space left"):
        while True:
            file.append(piece)
    assert (disk / "out").stat().st_size == file.size and file.size % 10_000 == 0 < file.size
    file.close()


def test_a_full_disk_leaves_the_earlier_file(disk: Path) -> None:
    (disk / "out").write_text("earlier", encoding="utf-8")
    file = GrowingFile(str(disk / "out"))
    with pytest.raises(SinkError, match="No space left"):
        file.append(bytes(100_000))
    file.close()
    assert (disk / "out").read_text(encoding="utf-8") == "earlier" and len(list(disk.iterdir())) == 1


def test_a_file_that_was_removed_is_said_at_the_end_too(tmp_path: Path) -> None:
    """Where nothing more was to be written, as in a table of boxes of a scene without any; once is enough."""
    file = GrowingFile(str(tmp_path / "out"))
    file.append(b"x")
    os.unlink(tmp_path / "out")
    with pytest.raises(SinkError, match="was removed while it was written"):
        file.close()
    file.close()
    file = GrowingFile(str(tmp_path / "out"))
    file.append(b"x")
    os.unlink(tmp_path / "out")
    with pytest.raises(SinkError):
        file.append(b"y")
    file.close()
    GrowingFile(str(tmp_path / "out")).close()  # its lock is free again
