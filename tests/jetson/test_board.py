"""Boards, by the trees recorded of them."""

from __future__ import annotations

import pytest

from edge_runtime.jetson import board, nvpmodel

BOARDS = {  # slug, compute capability, power mode
    "agx-orin_l4t35": ("agx-orin", "8.7", "MODE_30W"),
    "agx-orin_l4t36": ("agx-orin", "8.7", "MODE_30W"),
    "agx-thor_l4t38": ("agx-thor", "11.0", "MAXN"),
    "agx-xavier_l4t32": ("agx", "7.2", "MODE_15W"),
    "agx-xavier_l4t35": ("agx-xavier", "7.2", "MODE_30W_ALL"),
    "nano_l4t32": ("nano", "5.3", "MAXN"),
    "orin-nano_l4t35": ("tegra234", "8.7", "15W"),  # its tree names no model
    "orin-nano_l4t36": ("orin-nano-super", "8.7", "MAXN_SUPER"),
    "orin-nx_l4t35": ("tegra234", "8.7", "15W"),
    "xavier-nx_l4t35": ("xavier-nx", "7.2", "MODE_15W_6CORE"),
    "x86-rapl": ("pc", "", ""),
}


@pytest.mark.parametrize("name", BOARDS)
def test_what_a_board_is(board_tree, name):
    root = board_tree(name)
    assert (board.slug(root), board.compute_capability(root), nvpmodel.current_name(root)) == BOARDS[name]


def test_an_empty_tree_is_a_computer(tmp_path):
    assert (board.slug(tmp_path), board.compute_capability(tmp_path), nvpmodel.current_name(tmp_path)) == ("pc", "", "")
