"""What writes a file gives everything back: no descriptor stays, and a folder that could not be replaced is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.files.folders import replacing_folder, scratch_folder
from edge_runtime.files.growing import GrowingFile
from edge_runtime.files.lock import locked
from tests.loop.parts import descriptors


def test_a_growing_file_keeps_no_descriptor(tmp_path: Path) -> None:
    before = descriptors()
    file = GrowingFile(str(tmp_path / "out.jsonl"))
    file.append(b"one\n")
    assert descriptors() != before
    file.close()
    file.close()
    assert descriptors() == before


def test_a_refused_lock_keeps_no_descriptor(tmp_path: Path) -> None:
    with locked(tmp_path / "out"):
        before, kept = descriptors(), []
        for _ in range(3):
            with pytest.raises(UsageError) as caught, locked(tmp_path / "other", tmp_path / "out"):
                pass
            kept.append(caught)  # and with it the frames in which it was raised
        assert descriptors() == before


def test_a_scratch_folder_keeps_no_descriptor(tmp_path: Path) -> None:
    before = descriptors()
    for _ in range(3):
        with scratch_folder(tmp_path / "m.plan"):
            pass
    assert descriptors() == before and list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_replaced_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, rename = tmp_path / "picked", os.rename
    target.mkdir()
    (target / "0.jpg").write_bytes(b"earlier")

    def full(source: Path, place: Path) -> None:
        if Path(place) == target and not str(source).endswith(".old"):
            raise OSError(28, "No space left on device")
        rename(source, place)

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(UsageError, match="No space left"), replacing_folder(target, r"\d+\.jpg") as folder:
        (folder / "1.jpg").write_bytes(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["picked"]
    assert (target / "0.jpg").read_bytes() == b"earlier"
