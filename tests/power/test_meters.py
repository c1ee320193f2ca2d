"""Meters on recorded boards: rails and totals, idle and under load, and what goes wrong with files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_runtime import power
from edge_runtime.errors import SourceError
from edge_runtime.power import Total, ina238, ina3221, rapl

BOARDS = {  # rail, scope, mW idle and under load
    "nano_l4t32": ("POM_5V_IN", "board_input", 933, 7553),
    "agx-xavier_l4t32": ("GPU+CPU+SOC+CV+VDDRQ+SYS5V", "rail_sum", 6925, 13650),
    "agx-xavier_l4t35": ("GPU+CPU+SOC+CV+VDDRQ+SYS5V", "rail_sum", 5963, 29874),
    "xavier-nx_l4t35": ("VDD_IN", "module_input", 3588, 14169),
    "orin-nano_l4t35": ("VDD_IN", "module_input", 4654, 12300),
    "orin-nano_l4t36": ("VDD_IN", "module_input", 4654, 17086),
    "orin-nx_l4t35": ("VDD_IN", "module_input", 4982, 13357),
    "agx-orin_l4t35": ("VDD_GPU_SOC+VDD_CPU_CV+VIN_SYS_5V0", "rail_sum", 6708, 22566),
    "agx-orin_l4t36": ("VDD_GPU_SOC+VDD_CPU_CV+VIN_SYS_5V0", "rail_sum", 6708, 22566),
    "agx-thor_l4t38": ("VIN", "board_input", 19780, 61900),
}


def under_load(shared: Path, root: Path, board: str) -> None:
    overlay = json.loads((shared / "fixtures" / "jetson" / f"{board}.json").read_text())["overlay_load"]
    for path, text in overlay.items():
        (root / path).write_text(text)


@pytest.mark.parametrize("board", BOARDS)
def test_totals_of_every_board(shared, board_tree, board):
    root, (rail, scope, idle, load) = board_tree(board), BOARDS[board]
    meter = power.open(root)
    for milliwatts in (idle, load):
        whole = power.total(meter.read_w())
        assert (whole.rail, whole.scope) == (rail, scope)
        assert whole.watts == pytest.approx(milliwatts / 1e3, abs=1.5e-3)
        under_load(shared, root, board)
    assert meter.gaps == 0


def test_the_papers_two_points(shared, board_tree):
    """YOLO Nano on AGX Xavier: 26.9 images/s at 1.97 a watt, 48.2 at 1.61."""
    for board, fps, per_watt in (("agx-xavier_l4t32", 26.9, 1.97), ("agx-xavier_l4t35", 48.2, 1.61)):
        root = board_tree(board)
        under_load(shared, root, board)
        watts = power.total(power.open(root).read_w()).watts
        assert round(watts, 3) == {"agx-xavier_l4t32": 13.650, "agx-xavier_l4t35": 29.874}[board]
        assert round(fps / watts, 2) == per_watt


def test_unconnected_rails_and_sums_are_no_rails(board_tree):
    rails = power.open(board_tree("agx-orin_l4t36")).read_w()
    assert list(rails) == ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"]


def test_both_chips_of_thor_are_read(board_tree):
    meter = power.open(board_tree("agx-thor_l4t38"))
    assert meter.name == "ina238+ina3221"
    assert list(meter.read_w()) == ["VIN", "VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"]


@pytest.mark.parametrize("broken", ["", "garbage\n", "\0\0", None])
def test_files_that_vanish_or_hold_garbage_are_gaps(board_tree, broken):
    root = board_tree("orin-nano_l4t36")
    meter = power.open(root)
    (file,) = root.glob("sys/devices/platform/bus@0/*/i2c-1/1-0040/hwmon/hwmon1/curr2_input")
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    rails = meter.read_w()
    assert "VDD_CPU_GPU_CV" not in rails and "VDD_IN" in rails and meter.gaps == 1
    meter.read_w()
    assert meter.gaps == 2


def test_hwmon_numbers_do_not_matter(board_tree):
    root = board_tree("orin-nano_l4t36")
    (folder,) = root.glob("sys/devices/platform/bus@0/*/i2c-1/1-0040/hwmon/hwmon1")
    folder.rename(folder.with_name("hwmon7"))
    assert power.total(power.open(root).read_w()).watts == pytest.approx(4.654, abs=1e-3)


def test_rapl_counts_from_reading_to_reading_and_around_the_end(shared, board_tree):
    """The overlay has package and dram past their range: 35 J and 3 J, core 25 J."""
    root, now = board_tree("x86-rapl"), [0.0]
    zones = rapl._zones(root)
    meter = rapl.RaplMeter(zones, clock=lambda: now[0])
    now[0] = 2.0
    under_load(shared, root, "x86-rapl")
    rails = meter.read_w()
    assert rails["package-0"] == pytest.approx(17.5, abs=1e-3) and rails["dram"] == pytest.approx(1.5, abs=1e-3)
    assert rails["core"] == pytest.approx(12.5, abs=1e-3)
    assert power.total(rails) == Total(rails["package-0"], "package-0", "package")
    assert meter.read_w() == {}, "no time has passed"


def test_rapl_opens_where_there_is_no_board(board_tree):
    meter = power.open(board_tree("x86-rapl"))
    assert meter.name == "rapl" and set(meter.read_w()) <= {"package-0", "core", "uncore", "dram"}


def test_nothing_to_read_is_said_of_each(tmp_path):
    with pytest.raises(SourceError, match="no ina3221 sensor") as caught:
        power.open(tmp_path)
    assert "no RAPL counters" in str(caught.value) and "n/a" in str(caught.value.hint)
    assert ina238.available(tmp_path) and ina3221.available(tmp_path) and rapl.available(tmp_path)
    with pytest.raises(SourceError, match="no rail"):
        power.total({})
