"""Memory of the builder."""

from __future__ import annotations

import pytest

from edge_runtime.build import memory
from edge_runtime.build.memory import MIB

TEXT = "MemTotal: {} kB\nMemFree: 1 kB\nMemAvailable:   {} kB\nSwapFree: {} kB\n"


def tree(tmp_path, total: int, available: int, swap: int):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(
        TEXT.format(*(1024 * mib for mib in (total, available, swap))), encoding="utf-8"
    )
    return memory.look(tmp_path)


@pytest.mark.parametrize(
    ("total", "available", "workspace"),
    [(4000, 3000, 256), (4000, 400, 100), (7600, 6000, 1500), (30000, 28000, 4096), (7600, 100, 64)],
)
def test_workspace_follows_what_is_free(tmp_path, total, available, workspace):
    assert tree(tmp_path, total, available, 0).workspace == workspace * MIB


def test_tight_counts_swap(tmp_path):
    assert tree(tmp_path, 4000, 900, 0).tight
    assert not memory.Memory(4000 * MIB, 900 * MIB, 4000 * MIB).tight


def test_what_cannot_be_read_is_not_tight(tmp_path):
    found = memory.look(tmp_path)
    assert not found.tight and found.workspace == 256 * MIB
