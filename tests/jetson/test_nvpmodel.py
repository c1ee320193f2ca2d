"""Modes of every recorded board: names, not numbers; masks that need a reboot; caps that took or did not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import BoardError, UsageError
from edge_runtime.jetson import caps, nvpmodel

MODES = {  # (id, name) of all; current; default; those that need a reboot
    "nano_l4t32": ("0 MAXN, 1 5W", 0, 0, ()),
    "agx-xavier_l4t32": (
        "0 MAXN, 1 MODE_10W, 2 MODE_15W, 3 MODE_30W_ALL, 4 MODE_30W_6CORE, 5 MODE_30W_4CORE, 6 MODE_30W_2CORE, "
        "7 MODE_15W_DESKTOP", 2, 2, (1,)),
    "agx-xavier_l4t35": (
        "0 MAXN, 1 MODE_10W, 2 MODE_15W, 3 MODE_30W_ALL, 4 MODE_30W_6CORE, 5 MODE_30W_4CORE, 6 MODE_30W_2CORE, "
        "7 MODE_15W_DESKTOP", 3, 7, (1,)),
    "xavier-nx_l4t35": (
        "0 MODE_15W_2CORE, 1 MODE_15W_4CORE, 2 MODE_15W_6CORE, 3 MODE_10W_2CORE, 4 MODE_10W_4CORE, 5 MODE_10W_DESKTOP, "
        "6 MODE_20W_2CORE, 7 MODE_20W_4CORE, 8 MODE_20W_6CORE", 2, 5, ()),
    "orin-nano_l4t35": ("0 15W, 1 7W", 0, 0, (1,)),
    "orin-nano_l4t36": ("0 15W, 1 25W, 2 MAXN_SUPER", 2, 1, ()),
    "orin-nx_l4t35": ("0 MAXN, 1 10W, 2 15W, 3 25W", 2, 2, (0, 3)),
    "agx-orin_l4t35": ("0 MAXN, 1 MODE_15W, 2 MODE_30W, 3 MODE_50W", 2, 2, (0, 1, 3)),
    "agx-orin_l4t36": ("0 MAXN, 1 MODE_15W, 2 MODE_30W, 3 MODE_50W", 2, 2, (0, 1, 3)),
    "agx-thor_l4t38": ("0 MAXN, 1 120W, 2 90W, 3 70W", 0, 1, (2, 3)),
    "agx-thor_l4t38.4_field": ("0 MAXN, 1 120W, 2 90W, 3 70W", 1, 1, (2, 3)),
    "agx-orin_l4t39.2_field": ("0 MAXN, 1 MODE_15W, 2 MODE_30W, 3 MODE_50W", 0, 2, (1, 2)),
    "nano_three-modes_l4t32_field": ("0 MAXN, 1 5W, 2 7W", 0, 0, ()),
    "orin-nano_l4t35.3_field": ("0 15W, 1 7W", 0, 0, (1,)),
}  # fmt: skip


@pytest.mark.parametrize("board", MODES)
def test_every_board(board_tree, board):
    root, (names, now, default, reboots) = board_tree(board), MODES[board]
    conf = nvpmodel.load_conf(root)
    assert ", ".join(f"{mode.id} {mode.name}" for mode in conf.modes) == names
    current = nvpmodel.current(root, conf)
    assert current is not None and (current.id, conf.default) == (now, default)
    assert tuple(mode.id for mode in conf.modes if nvpmodel.reboot_reason(root, conf, mode)) == reboots
    found = caps.compare_caps(root, conf, current)
    assert found.differing == () and (found.verified or "thor" in board), "its caps are not known"


@pytest.mark.parametrize(
    ("board", "wanted", "name", "remark"),
    [
        ("agx-xavier_l4t32", "15W", "MODE_15W", ""),  # trap 1: 15 W has another ID on every board
        ("agx-orin_l4t36", "15w", "MODE_15W", ""),
        ("orin-nx_l4t35", "15W", "15W", ""),
        ("orin-nano_l4t36", "MODE_15W", None, "no power mode"),
        ("orin-nano_l4t36", "0", "15W", ""),  # -m 0 is MAXN elsewhere
        ("agx-xavier_l4t32", "30W", "MODE_30W_ALL", "30W is MODE_30W_ALL here, of MODE_30W_ALL, MODE_30W_6CORE"),
        ("agx-xavier_l4t32", "MODE_30W_2CORE", "MODE_30W_2CORE", ""),
        ("orin-nano_l4t36", "MAXN", "MAXN_SUPER", "MAXN is MAXN_SUPER on this board"),
        ("xavier-nx_l4t35", "10W", "MODE_10W_DESKTOP", "10W is MODE_10W_DESKTOP here"),
        ("xavier-nx_l4t35", "15W", None, "may be any of MODE_15W_2CORE, MODE_15W_4CORE, MODE_15W_6CORE"),
        ("agx-orin_l4t36", "7W", None, "no power mode '7W'"),
        ("agx-orin_l4t36", "15", None, "no power mode '15'"),
        ("agx-xavier_l4t32", "MODE_30W_5CORE", None, "no power mode"),  # its watts alone do not name a mode
        ("orin-nx_power-estimator_l4t36_field", "28.1W", "MODE_28_1_W", "28.1W is MODE_28_1_W on this board"),
        ("orin-nx_power-estimator_l4t36_field", "28W", None, "no power mode '28W'"),
        ("orin-nx_power-estimator_l4t36_field", "1", None, "no power mode '1'"),  # an ID, and no part of 28_1
        ("orin-nx_power-estimator_l4t36_field", ".W", None, "no power mode"),
        ("orin-nano_own-mode_l4t36_field", "dynamic_mode", "DYNAMIC_MODE", ""),
        ("nano_three-modes_l4t32_field", "7W", "7W", ""),
    ],
)
def test_modes_are_found_by_name(board_tree, board, wanted, name, remark):
    conf = nvpmodel.load_conf(board_tree(board))
    if name is None:
        with pytest.raises(UsageError, match=remark) as caught:
            nvpmodel.resolve(conf, wanted)
        assert caught.value.hint
    else:
        mode, said = nvpmodel.resolve(conf, wanted)
        assert mode.name == name and said.startswith(remark) and bool(said) == bool(remark)


def test_the_quirks_of_a_configuration():
    conf = nvpmodel.parse(
        "# a comment\n<PARAM TYPE=CLOCK NAME=EMC >\nMAX_FREQ   /sys/a # cap\n"
        "< PARAM TYPE=HWMON NAME=LIMIT >\nWARN /sys/hwmon curr1_max\n< PARAM TYPE=CLOCK NAME=NALL_PVA_VPS >\n"
        "< POWER_MODEL ID=0  NAME=MAXN >\nEMC MAX_FREQ  0\n< FAN_CONFIG DEFAULT=quiet >\nstray line\n"
        "< POWER_MODEL ID=7 NAME=MODE_15W_2CORE >\nEMC  MAX_FREQ -1\nhalf a\n< PM_CONFIG DEFAULT=7 >\n"
    )
    assert [(mode.id, mode.name, mode.nominal_w) for mode in conf.modes] == [
        (0, "MAXN", None),
        (7, "MODE_15W_2CORE", 15.0),
    ]
    assert conf.default == 7 and [row.value for mode in conf.modes for row in mode.settings] == ["0", "-1"]
    assert conf.paths == {("EMC", "MAX_FREQ"): "/sys/a", ("LIMIT", "WARN"): "/sys/hwmon/*/curr1_max"}


@pytest.mark.parametrize(
    ("name", "watts"),
    [
        ("15W", 15.0), ("MODE_15W", 15.0), ("MODE_15W_6CORE", 15.0), ("MODE_30W_ALL", 30.0), ("7W_AI", 7.0),
        ("120W", 120.0), ("MODE_28_1_W", 28.1), ("MODE_28_W", 28.0), ("custom-18W", 18.0), ("12.5w", 12.5),
        ("PROFILE_2_15W", 15.0), ("MAXN", None), ("MAXN_SUPER", None), ("MAXQ", None), ("MAXP_CORE_ALL", None),
        ("DYNAMIC_MODE", None), ("0W", None), ("W", None), ("MODE_W", None), ("MODE_25W4", None), ("", None),
    ],
)  # fmt: skip
def test_the_watts_of_a_name(name, watts):
    assert nvpmodel.Mode(0, name).nominal_w == watts


def test_a_mode_of_the_users_own_that_was_never_set(board_tree):
    root = board_tree("orin-nano_own-mode_l4t36_field")
    conf = nvpmodel.load_conf(root)
    differing = caps.compare_caps(root, conf, conf.modes[0]).differing
    assert "CPU_ONLINE CORE_3 is 1, DYNAMIC_MODE wants 0" in differing
    assert "GPU MAX_FREQ is 1020000000, DYNAMIC_MODE wants 306000000" in differing and len(differing) == 7


@given(st.text(alphabet="<> =#-\nPARAMOWE_MODELIDTYPNX019/w", max_size=300))
def test_any_text_is_read_or_refused(text):
    try:
        assert nvpmodel.parse(text).modes
    except BoardError as error:
        assert error.hint


def test_no_configuration_is_no_power_mode(tmp_path):
    assert nvpmodel.current_name(tmp_path) == ""
    with pytest.raises(BoardError, match="no nvpmodel here"):
        nvpmodel.load_conf(tmp_path)


def test_a_mode_that_the_board_refused_at_boot(board_tree):
    """Trap 5: the status names 25W while the clocks are those of MAXN_SUPER, and every change wants a reboot."""
    root = board_tree("orin-nano_l4t36")
    (root / nvpmodel.STATUS).write_text("pmode:0001\n", encoding="utf-8")
    conf = nvpmodel.load_conf(root)
    mode = nvpmodel.current(root, conf)
    assert mode is not None and mode.name == "25W"
    differing = caps.compare_caps(root, conf, mode).differing
    assert "GPU MAX_FREQ is 1020000000, 25W wants 918000000" in differing and len(differing) == 7
    (root / "sys/devices/platform/gpu.0/tpc_pg_mask").write_text("0\n", encoding="utf-8")
    assert nvpmodel.reboot_reason(root, conf, mode) == "TPC_PG_MASK is 0, 25W wants 240"


def test_a_cap_that_was_left_in_place(board_tree):
    """MAXN has no caps: what 30W_ALL allowed is one, though the table's last step need not be reachable."""
    root = board_tree("agx-xavier_l4t35")
    conf = nvpmodel.load_conf(root)
    maxn = nvpmodel.resolve(conf, "MAXN")[0]
    assert any("GPU MAX_FREQ is 905250000" in line for line in caps.compare_caps(root, conf, maxn).differing)
    gpu = root / "sys/class/devfreq/17000000.gv11b/max_freq"
    gpu.write_text("1032750000\n", encoding="utf-8")
    assert not any("GPU" in line for line in caps.compare_caps(root, conf, maxn).differing)


def test_masks_that_cannot_be_read_are_those_of_the_mode(board_tree):
    root = board_tree("agx-orin_l4t36")
    (root / "sys/devices/platform/gpu.0/tpc_pg_mask").unlink()
    conf = nvpmodel.load_conf(root)
    assert nvpmodel.reboot_reason(root, conf, conf.modes[1]) == "TPC_PG_MASK is 240, MODE_15W wants 248"


def test_thor_keeps_its_mask_elsewhere(board_tree):
    root = board_tree("agx-thor_l4t38")
    (root / nvpmodel.THOR_MASK_FILE).parent.mkdir(parents=True)
    (root / nvpmodel.THOR_MASK_FILE).write_text("gpu_pg_mask_param=17353\n", encoding="utf-8")
    conf = nvpmodel.load_conf(root)
    assert [mode.name for mode in conf.modes if nvpmodel.reboot_reason(root, conf, mode)] == ["MAXN", "120W"]
    compatible = root / "proc/device-tree/compatible"
    compatible.write_text(compatible.read_text(encoding="utf-8").replace("p3834-0008", "p3834-0000"), encoding="utf-8")
    assert not any(nvpmodel.reboot_reason(root, conf, mode) for mode in conf.modes), "a T4000 has masks of its own"
