"""Damaged files at every reader: each is read or refused in our words; and no reader is left out."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import fuzz  # noqa: E402
from fuzzing import readers  # noqa: E402

PACKAGE = ROOT / "edge_runtime"
COUNT = 200
# They read files of ours, leave out lines that make no sense, ask what a reader in the list reads, read what a browser
# sends, or take the hash of any bytes.
OTHERS = {
    "files/read.py", "benchmark/judged.py", "cli/_prove.py", "power/tegrastats.py", "sinks/_clip_store.py",
    "sinks/_web/site.py", "cli/_reload.py", "cli/_drawn.py", "study/published.py",
}  # fmt: skip


def reading() -> Iterator[str]:
    """Files of the package that read a file of the user by files/read.py, which is the one way to do it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            by_room = isinstance(node, ast.ImportFrom) and node.module == "edge_runtime.files" and "read" in names
            if by_room or (isinstance(node, ast.ImportFrom) and node.module == "edge_runtime.files.read"):
                yield str(path.relative_to(PACKAGE))


def test_no_reader_is_left_out() -> None:
    assert set(reading()) - set(readers.rooms()) - OTHERS == set(), "add it to tools/fuzzing/readers.py"


@pytest.mark.parametrize("name", readers.READERS)
def test_damaged_files_are_read_or_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path.cwd())  # the fuzzer goes elsewhere
    outcomes, faults = fuzz.read_all(name, COUNT, seed=7)
    assert not faults, faults[0]
    assert outcomes["read"] > 0, "the good files are read"
    assert outcomes["refused"] > 0, "the damage is seen"
