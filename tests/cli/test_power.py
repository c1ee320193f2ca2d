"""edge-power over recorded boards: everything it shows, and what it sets."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from jetson.test_board import BOARDS
from power.test_meters import BOARDS as METERS
from standins import nvpmodel as standin

from edge_runtime.cli import _power
from edge_runtime.cli import power as cli
from edge_runtime.jetson import nvpmodel

KEYS = "board l4t mode modes rails_w total_w total_rail scope temperatures_c gpu_load clocks".split()
ABOUT = {  # model, L4T, mode and its watts
    "nano_l4t32": ("NVIDIA Jetson Nano Developer Kit", "32.7.1", "MAXN", None),
    "nano_three-modes_l4t32_field": ("NVIDIA Jetson Nano Developer Kit", "32.7.1", "MAXN", None),
    "agx-xavier_l4t32": ("Jetson-AGX", "32.6.1", "MODE_15W", 15.0),
    "agx-xavier_l4t35": ("NVIDIA Jetson AGX Xavier Developer Kit", "35.3.1", "MODE_30W_ALL", 30.0),
    "xavier-nx_l4t35": ("NVIDIA Jetson Xavier NX Developer Kit", "35.3.1", "MODE_15W_6CORE", 15.0),
    "orin-nano_l4t35": ("NVIDIA Orin Nano Developer Kit", "35.4.1", "15W", 15.0),
    "orin-nano_l4t35.3_field": ("NVIDIA Orin Nano Developer Kit", "35.3.1", "15W", 15.0),
    "orin-nano_l4t36": (
        "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", "36.4.3", "MAXN_SUPER", None),
    "orin-nx_l4t35": ("NVIDIA Orin NX Developer Kit", "35.4.1", "15W", 15.0),
    "agx-orin_l4t35": ("Jetson AGX Orin Developer Kit", "35.4.1", "MODE_30W", 30.0),
    "agx-orin_l4t36": ("NVIDIA Jetson AGX Orin Developer Kit", "36.4.3", "MODE_30W", 30.0),
    "agx-orin_l4t39.2_field": ("NVIDIA Jetson AGX Orin Developer Kit", "39.2.0", "MAXN", None),
    "agx-thor_l4t38": ("NVIDIA Jetson AGX Thor Developer Kit", "38.4.0", "MAXN", None),
    "agx-thor_l4t38.4_field": ("NVIDIA Jetson AGX Thor Developer Kit", "38.4.0", "120W", 120.0),
}  # fmt: skip


@pytest.mark.parametrize("name", ABOUT)
def test_every_board_as_json(board_tree, under_load, capsys, name):
    root, (rail, scope, idle, load) = board_tree(name), METERS[name]
    for milliwatts in (idle, load):
        assert cli.main(["--json", "--sysroot", str(root)]) == 0
        said = json.loads(capsys.readouterr().out)
        assert all(key in said for key in KEYS)
        assert (said["board"], said["l4t"], said["mode"], said["nominal_w"]) == ABOUT[name]
        assert (said["name"], said["soc"], said["jetpack"]) == (
            BOARDS[name][0], BOARDS[name][1], BOARDS[name][3],
        )  # fmt: skip
        assert (said["total_rail"], said["scope"]) == (rail, scope)
        assert said["total_w"] == pytest.approx(milliwatts / 1e3, abs=1.5e-3)
        assert {tuple(each) for each in said["modes"]} == {("id", "name")} and said["caps_differ"] == []
        assert said["temperatures_c"] and said["clocks"]["gpu_mhz"] is not None
        under_load(root)


def test_what_a_person_reads(board_tree, capsys, monkeypatch):
    root = board_tree("agx-xavier_l4t35")
    monkeypatch.setenv("EDGE_SYSROOT", str(root))
    assert cli.main([]) == 0
    said = capsys.readouterr().out
    assert "mode          MODE_30W_ALL, its caps are set" in said
    assert "modes         0 MAXN, 1 MODE_10W*, 2 MODE_15W," in said and "(* needs a reboot)" in said
    assert "power         5.963 W (GPU+CPU+SOC+CV+VDDRQ+SYS5V, rail_sum): GPU" in said and "gpu_max_mhz 905.25" in said


def test_the_boards_name_comes_first(board_tree, capsys):
    root = board_tree("orin-nano_l4t35.3_field")
    cli.main(["--sysroot", str(root)])
    assert capsys.readouterr().out.startswith(
        "board         Jetson Orin Nano 8GB (NVIDIA Orin Nano Developer Kit, tegra234), "
        "JetPack 5.1.1 (Jetson Linux 35.3.1)\n"
    )
    (root / "etc/nv_tegra_release").write_text("# R41 (release), REVISION: 2.0, GCID: 1\n", encoding="utf-8")
    cli.main(["--sysroot", str(root)])
    assert ", JetPack unknown (Jetson Linux 41.2.0)\n" in capsys.readouterr().out


def test_a_mode_of_the_power_estimator(board_tree, capsys):
    cli.main(["--sysroot", str(board_tree("orin-nx_power-estimator_l4t36_field"))])
    said = capsys.readouterr().out
    assert "mode          MODE_28_1_W, but:\n" in said and "modes         0 MODE_28_1_W (28.1 W)\n" in said


def test_now_and_since_boot_are_told_apart(board_tree, capsys):
    root = board_tree("orin-nano_l4t36")
    (root / "sys/devices/platform/soctherm-oc-event/hwmon/hwmon3/oc3_event_cnt").write_text("17\n", encoding="utf-8")
    cli.main(["--sysroot", str(root)])
    said = capsys.readouterr().out
    assert "since boot    over-current-peak 17\n" in said and "held back now" not in said
    limit = root / "sys/kernel/debug/bpmp/debug/clk/nafll_gpc0/max_rate"
    limit.parent.mkdir(parents=True)
    limit.write_text("624750000\n", encoding="utf-8")
    cli.main(["--sysroot", str(root)])
    said = capsys.readouterr().out
    assert "held back now the firmware holds the GPU at 624.75 MHz, its cap is 1020 MHz\n" in said
    cli.main(["--sysroot", str(board_tree("agx-thor_l4t38.4_field"))])
    said = capsys.readouterr().out
    assert "held back now 1 cooling device at work\n" in said and "since boot" not in said


def test_a_summary_says_what_throttled_in_the_run():
    figures = dict.fromkeys(
        "mean_w fps_per_watt fps_per_watt_nominal fps_per_watt_above_idle joules_per_frame paper mode".split()
    )
    power = {**figures, "rail": "VDD_IN", "scope": "module_input", "coverage": 1.0, "gaps": 0}
    said = _power.lines({**power, "throttle": {"over_current": 2, "under_voltage": 0, "cooling": 1}})
    assert said[-1] == "  throttled in this run: over-current 2, cooling devices 1"
    assert len(_power.lines({**power, "throttle": {"over_current": 0, "cooling": 0}})) == 2


def test_a_mode_that_is_not_what_its_name_says(board_tree, capsys):
    """Trap 5: the boot service failed."""
    root = board_tree("orin-nano_l4t36")
    (root / nvpmodel.STATUS).write_text("pmode:0001\n", encoding="utf-8")
    cli.main(["--sysroot", str(root)])
    said = capsys.readouterr().out
    assert "mode          25W, but:\n" in said and "GPU MAX_FREQ is 1020000000, 25W wants 918000000" in said


def test_a_computer_has_counters_or_nothing(board_tree, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert cli.main(["--sysroot", str(tmp_path / "empty")]) == 0
    said = capsys.readouterr().out
    assert "board         not a Jetson" in said and "mode          n/a: no nvpmodel here" in said
    assert "power         n/a: no power sensor here (ina238: no ina238 sensor" in said
    cli.main(["--json", "--sysroot", str(board_tree("x86-rapl"))])
    said = json.loads(capsys.readouterr().out)
    assert (said["scope"], said["total_rail"], said["mode"], said["modes"]) == ("package", "package-0", None, [])
    assert said["total_w"] is None, "counters that stand still are no watts"


def test_a_meter_that_was_asked_for_must_work(tmp_path, capsys):
    assert cli.main(["--sysroot", str(tmp_path), "--meter", "replay:none.csv"]) == 1
    assert capsys.readouterr().err.startswith("error: 'none.csv' cannot be read")


def test_a_mode_is_set_for_good(switching_board, capsys, monkeypatch):
    monkeypatch.setenv("EDGE_SYSROOT", str(switching_board))
    assert cli.main(["set", "15W", "--dry-run"]) == 0 and standin.calls(switching_board) == []
    monkeypatch.delenv("EDGE_SYSROOT")
    assert cli.main(["--sysroot", str(switching_board), "set", "15W", "--dry-run"]) == 0
    assert "nvpmodel -m 2" in capsys.readouterr().out, "said before the command, it holds for the command"
    monkeypatch.setenv("EDGE_SYSROOT", str(switching_board))
    assert cli.main(["set", "15W", "--settle", "0"]) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1] == "MODE_15W" and nvpmodel.current_name(switching_board) == "MODE_15W"
    )
    assert cli.main(["set", "10W", "--settle", "0"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("error: MODE_10W needs a reboot") and said[1].startswith("hint: sudo nvpmodel -m 1")
    assert not (switching_board / "rebooted").exists()


def test_what_was_left_behind_is_said_and_put_back(switching_board, capsys):
    code = f"""
from pathlib import Path
from edge_runtime.jetson.hold import Hold
Hold(Path({str(switching_board)!r}), settle_s=0).set("15W")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    cli.main(["--sysroot", str(switching_board)])
    assert "left behind   MODE_15W, by a run that was killed: edge-power restore" in capsys.readouterr().out
    assert cli.main(["restore", "--sysroot", str(switching_board)]) == 0
    assert (
        capsys.readouterr().out == "MODE_30W_ALL is back\n" and nvpmodel.current_name(switching_board) == "MODE_30W_ALL"
    )
