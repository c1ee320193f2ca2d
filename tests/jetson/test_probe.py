"""Clocks, temperatures, load and throttle events of every recorded board, idle and under load."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.jetson.probe import Probe, State

BOARDS = {  # idle: cpus online, CPU MHz, GPU MHz and its cap, EMC MHz, load %, hottest zone; under load: GPU MHz, load
    "nano_l4t32": (4, 102.0, 76.8, 921.6, 1600.0, 0.0, ("ao", 41.5), 921.6, 97.0),
    "agx-xavier_l4t32": (4, 1190.4, 318.75, 675.75, 1331.2, 0.0, ("tdiode", 37.75), 675.75, 97.0),
    "agx-xavier_l4t35": (8, 1190.4, 114.75, 905.25, 1600.0, 0.0, ("tdiode", 37.75), 905.25, 97.0),
    "xavier-nx_l4t35": (6, 1190.4, 114.75, 1109.25, None, 0.0, ("iwlwifi", 40.0), 1109.25, 97.0),
    "orin-nano_l4t35": (6, 729.6, 306.0, 624.75, 2133.0, 0.0, ("tj", 41.468), 624.75, 97.0),
    "orin-nano_l4t36": (6, 729.6, 306.0, 1020.0, 3199.0, 0.0, ("gpu", 50.218), 1020.0, 97.0),
    "orin-nx_l4t35": (4, 729.6, 306.0, 612.0, 3199.0, 0.0, ("tj", 41.468), 612.0, 97.0),
    "agx-orin_l4t35": (8, 729.6, 306.0, 612.0, 3199.0, 0.0, ("tj", 41.468), 612.0, 97.0),
    "agx-orin_l4t36": (8, 729.6, 306.0, 612.0, 3199.0, 0.0, ("gpu", 50.218), 612.0, 97.0),
    "agx-thor_l4t38": (14, 972.0, 314.0, 1575.0, None, None, ("gpu", 38.875), 314.0, None),
}


@pytest.mark.parametrize("board", BOARDS)
def test_every_board(board_tree, under_load, board):
    root = board_tree(board)
    online, cpu, gpu, cap, emc, load, hottest, gpu_loaded, load_loaded = BOARDS[board]
    probe = Probe(root)
    idle = probe.read()
    clocks = idle.clocks
    assert (clocks["cpus_online"], clocks["cpu_mhz"], clocks["gpu_mhz"], clocks["gpu_max_mhz"]) == (
        online,
        cpu,
        gpu,
        cap,
    )
    assert (clocks.get("emc_mhz"), idle.gpu_load) == (emc, load)
    assert max(idle.temperatures_c.items(), key=lambda pair: pair[1]) == hottest
    assert not set(idle.temperatures_c) & {"pmic", "cv0", "cv1", "cv2"}, "a constant, or off"
    under_load(root)
    loaded = probe.read()
    assert (loaded.clocks["gpu_mhz"], loaded.gpu_load) == (gpu_loaded, load_loaded)
    assert not probe.locked
    has_events = any(name in board for name in ("orin",))
    assert set(loaded.throttle) == ({"under_voltage", "over_current", "over_current_peak"} if has_events else set())


def test_files_that_fail_are_left_out(board_tree, monkeypatch):
    """cv0 to cv2 answer EAGAIN on L4T 36 while their block is off; a file may vanish or be root's."""
    root = board_tree("orin-nano_l4t36")
    probe, text = Probe(root), Path.read_text

    def read_text(path: Path, *args: object, **kwargs: object) -> str:
        if path.name == "temp" and path.parent.name.endswith(("2", "8")):
            raise BlockingIOError(11, "Resource temporarily unavailable")
        if path.name in ("rate", "oc3_event_cnt", "load"):
            raise PermissionError(13, "Permission denied")
        return text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", read_text)
    state = probe.read()
    assert set(state.temperatures_c) == {"cpu", "gpu", "soc0", "soc1", "soc2"}
    assert "emc_mhz" not in state.clocks and state.gpu_load is None
    assert set(state.throttle) == {"under_voltage", "over_current"}


def test_events_and_cooling_are_counted(board_tree):
    root = board_tree("agx-orin_l4t36")
    next(root.glob("sys/devices/platform/soctherm-oc-event/hwmon/hwmon*/oc3_event_cnt")).write_text(
        "17\n", encoding="utf-8"
    )
    for number, (kind, state) in enumerate((("pwm-fan", 3), ("cpu-throttle-alert", 1), ("gpu-throttle-alert", 0))):
        device = root / f"sys/class/thermal/cooling_device{number}"
        device.mkdir()
        (device / "type").write_text(f"{kind}\n", encoding="utf-8")
        (device / "cur_state").write_text(f"{state}\n", encoding="utf-8")
    throttle = Probe(root).read().throttle
    assert throttle == {"under_voltage": 0, "over_current": 0, "over_current_peak": 17, "cooling": 1}


def test_a_gpu_that_its_firmware_holds_back(board_tree):
    """JetPack 7.2 on an Orin Nano: MAXN_SUPER allows 1020 MHz, the firmware 624.75."""
    root = board_tree("orin-nano_l4t36")
    assert Probe(root).gpu_limit_mhz is None
    limit = root / "sys/kernel/debug/bpmp/debug/clk/nafll_gpc0/max_rate"
    limit.parent.mkdir(parents=True)
    for text, mhz in (
        ("624750000\n", 624.75),
        ("1020000000\n", None),
        ("2000000000\n", None),
        ("0\n", None),
        ("", None),
    ):
        limit.write_text(text, encoding="utf-8")
        assert Probe(root).gpu_limit_mhz == mhz
    (limit.parent.with_name("nafll_gpc1")).mkdir()
    (limit.parent.with_name("nafll_gpc1") / "max_rate").write_text("306000000\n", encoding="utf-8")
    assert Probe(root).gpu_limit_mhz == 306.0


def test_nothing_to_read_is_an_empty_state(tmp_path):
    assert Probe(tmp_path).read() == State() and not Probe(tmp_path).locked
    assert State().to_dict() == {"clocks": {}, "temperatures_c": {}, "gpu_load": None, "throttle": {}}
