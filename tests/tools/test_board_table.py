"""The table of recorded boards, over two of them, by the real commands."""

from __future__ import annotations

import importlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_board_and_a_computer(shared, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    board_table = importlib.import_module("board_table")
    for name in ("orin-nano_l4t35.3_field", "x86-rapl"):
        (tmp_path / f"{name}.json").symlink_to(shared / f"fixtures/jetson/{name}.json")
    assert board_table.main([str(tmp_path), "--output", str(tmp_path / "boards.md")]) == 0
    rows = {
        tuple(cell.strip() for cell in line.strip("| ").split(" | "))
        for line in (tmp_path / "boards.md").read_text(encoding="utf-8").splitlines()
        if line.startswith(("| orin", "| x86"))
    }
    orin = "orin-nano_l4t35.3_field"
    assert (
        orin, "Jetson Orin Nano 8GB", "tegra234", "5.1.1",
        "Jetson Orin Nano 8GB (NVIDIA Orin Nano Developer Kit, tegra234)", "engines/plans/orin-nano-trtVERSION",
    ) in rows  # fmt: skip
    assert (orin, "15W, 7W\\*", "15W", "4.654", "12.300", "VDD_IN") in rows
    dry = {row[0]: row[1:] for row in rows if len(row) == 4}
    assert dry[orin][:2] == ("7W", "1") and "needs a reboot" in dry[orin][2] and "cores 4, 6 now" in dry[orin][2]
    assert ("x86-rapl", "–", "–", "–", "–", "package-0") in rows
    assert dry["x86-rapl"][:2] == ("15W", "1") and "no nvpmodel here" in dry["x86-rapl"][2]
