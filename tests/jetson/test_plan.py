"""What a dry switch says, over recorded boards; it changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import pytest

from edge_runtime.cli import jetson
from edge_runtime.errors import BoardError
from edge_runtime.jetson import nvpmodel, plan
from edge_runtime.jetson.hold import Hold
from edge_runtime.jetson.nvpmodel import Mode, Setting


def files(root: Path) -> Dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("board", "wanted", "said"),
    [
        ("agx-xavier_l4t35", "30W", [
            "30W is MODE_30W_ALL here, of MODE_30W_ALL, MODE_30W_6CORE, MODE_30W_4CORE, MODE_30W_2CORE: nvpmodel -m 3, "
            "without a reboot; the mode is MODE_30W_ALL now",
            "  cores 8, 8 now", "  CPU   at most 1200 MHz, 1190.4 now", "  GPU   at most 900 MHz, 905.25 now",
            "  EMC   at most 1600 MHz, 1600 now"]),
        ("nano_l4t32", "5W", [
            "5W: nvpmodel -m 1, without a reboot; the mode is MAXN now",
            "  cores 2, 4 now", "  CPU   at most 918 MHz, 1479 now", "  GPU   at most 640 MHz, 921.6 now",
            "  EMC   at most 1600 MHz"]),
        ("orin-nano_l4t36", "MAXN_SUPER", [
            "MAXN_SUPER: nvpmodel -m 2, without a reboot; the mode is MAXN_SUPER now",
            "  cores 6, 6 now", "  CPU   not capped, 1728 now", "  GPU   not capped, 1020 now",
            "  EMC   not capped, 3199 now"]),
        ("orin-nx_power-estimator_l4t36_field", "28.1W", [
            "28.1W is MODE_28_1_W on this board: nvpmodel -m 0, without a reboot; the mode is MODE_28_1_W now",
            "  cores 3, 6 now", "  CPU   at most 518.4 MHz, 1728 now", "  GPU   at most 918 MHz, 1020 now",
            "  EMC   not capped, 3199 now"]),
        ("agx-thor_l4t38", "120W", [
            "120W: nvpmodel -m 1, without a reboot; the mode is MAXN now", "  its caps are not known"]),
    ],
)  # fmt: skip
def test_what_would_be_done(board_tree, capsys, board, wanted, said):
    root = board_tree(board)
    before = files(root)
    assert jetson.main(["--sysroot", str(root), "set", wanted, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == said and files(root) == before


def test_a_reboot_is_said_and_fails_as_the_switch_would(board_tree, capsys):
    root = board_tree("agx-orin_l4t36")
    before = files(root)
    assert jetson.main(["--sysroot", str(root), "set", "50W", "--dry-run"]) == 1
    out, err = capsys.readouterr()
    assert "which needs a reboot (TPC_PG_MASK is 240, MODE_50W wants 0) and is refused" in out
    assert "  cores 12, 8 now\n" in out and err.startswith("error: MODE_50W needs a reboot") and files(root) == before


def test_a_mode_that_another_process_holds(switching_board, capsys):
    with Hold(switching_board, owner=1, settle_s=0) as held:
        held.set("15W")
        assert jetson.main(["--sysroot", str(switching_board), "set", "10W", "--dry-run"]) == 1
        assert jetson.main(["--sysroot", str(switching_board), "set", "MAXN", "--dry-run"]) == 1
    assert "error: process 1 holds MODE_15W" in capsys.readouterr().err


def test_values_that_are_no_numbers_and_states_that_are_not_known(board_tree):
    root = board_tree("orin-nano_l4t36")
    (root / nvpmodel.STATUS).unlink()
    odd = Mode(9, "MINE", (Setting("GPU", "MAX_FREQ", "fast"), Setting("CPU_A78_0", "MAX_FREQ", "-1")))
    assert plan.lines(root, nvpmodel.load_conf(root), odd) == [
        "MINE: nvpmodel -m 9, without a reboot; the mode now is not known",
        "  CPU   not capped, 1728 now",
        "  GPU   at most 'fast', 1020 now",
    ]
    with pytest.raises(BoardError, match="no nvpmodel here"):
        nvpmodel.load_conf(root / "sys")
