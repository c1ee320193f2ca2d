"""Writes tests/data/test-board.json: a board that does not exist, recorded as edge-doctor records one.

    python tools/make_test_board.py

Its files lie where an Orin Nano's do, with round numbers: four cores, three rails, four power modes of which MODE_10W
needs a reboot. Tests that want some board take it; what is known of real boards is tested on real recordings.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

from edge_runtime.jetson import record

TARGET = Path(__file__).resolve().parents[1] / "tests" / "data" / "test-board.json"
GPU, CPU = "sys/devices/platform/bus@0/17000000.gpu", "sys/devices/system/cpu"
I2C = "sys/devices/platform/bus@0/c240000.i2c/i2c-1/1-0040"
CORES, CPU_KHZ, GPU_HZ = 4, (500000, 1000000, 1500000), (300000000, 600000000, 900000000)
MODES = {  # name: cores, CPU kHz, GPU Hz, mask of the GPU's parts
    "MAXN": (4, -1, -1, 0),
    "MODE_10W": (2, 500000, 300000000, 5),
    "MODE_15W": (4, 1000000, 600000000, 0),
    "MODE_30W_ALL": (4, 1500000, 900000000, 0),
}
NOW = 3
RAILS = {"VDD_IN": (1200, 3000), "VDD_CPU_GPU_CV": (200, 1500), "VDD_SOC": (300, 500)}  # mA at 5 V, idle and loaded
TEMPERATURES = {"cpu": (45000, 60000), "gpu": (44000, 62000), "tj": (45500, 62500)}


def conf() -> str:
    """An nvpmodel.conf."""
    lines = ["< PARAM TYPE=FILE NAME=CPU_ONLINE >"]
    lines += [f"CORE_{core} /{CPU}/cpu{core}/online" for core in range(CORES)]
    lines += ["< PARAM TYPE=FILE NAME=TPC_POWER_GATING >", f"TPC_PG_MASK /{GPU}/tpc_pg_mask"]
    lines += ["< PARAM TYPE=CLOCK NAME=CPU_A78_0 >"]
    lines += [f"FREQ_TABLE /{CPU}/cpu0/cpufreq/scaling_available_frequencies"]
    lines += [f"{end}_FREQ /{CPU}/cpu0/cpufreq/scaling_{end.lower()}_freq" for end in ("MAX", "MIN")]
    lines += ["< PARAM TYPE=CLOCK NAME=GPU >", f"FREQ_TABLE /{GPU}/devfreq/17000000.gpu/available_frequencies"]
    lines += [f"{end}_FREQ /{GPU}/devfreq/17000000.gpu/{end.lower()}_freq" for end in ("MAX", "MIN")]
    for number, (name, (cores, cpu, gpu, mask)) in enumerate(MODES.items()):
        lines += [f"< POWER_MODEL ID={number} NAME={name} >"]
        lines += [f"CPU_ONLINE CORE_{core} {int(core < cores)}" for core in range(CORES)]
        lines += [f"TPC_POWER_GATING TPC_PG_MASK {mask}", f"CPU_A78_0 MAX_FREQ {cpu}", f"GPU MAX_FREQ {gpu}"]
    return "\n".join([*lines, f"< PM_CONFIG DEFAULT={NOW} >", ""])


def files() -> Dict[str, str]:
    """Idle, in the mode of the number NOW."""
    devfreq, chip = f"{GPU}/devfreq/17000000.gpu", f"{I2C}/hwmon/hwmon0"
    found = {
        "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic, EABI: aarch64\n",
        "etc/nvpmodel.conf": conf(),
        "var/lib/nvpmodel/status": f"pmode:{NOW:04d}\n",
        "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit Super\0",
        "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0nvidia,tegra234\0",
        "proc/sys/kernel/osrelease": "5.15.0-tegra\n",
        f"{GPU}/load": "0\n",
        f"{GPU}/tpc_pg_mask": "0\n",
        f"{devfreq}/available_frequencies": " ".join(map(str, GPU_HZ)) + "\n",
        f"{devfreq}/cur_freq": f"{GPU_HZ[0]}\n",
        f"{devfreq}/min_freq": f"{GPU_HZ[0]}\n",
        f"{devfreq}/max_freq": f"{GPU_HZ[-1]}\n",
        f"{devfreq}/governor": "nvhost_podgov\n",
        **{f"{CPU}/{name}": f"0-{CORES - 1}\n" for name in ("online", "possible", "present")},
        "sys/kernel/debug/bpmp/debug/clk/emc/rate": "2000000000\n",
        f"{I2C}/name": "ina3221\n",
        f"{chip}/name": "ina3221\n",
    }
    for core in range(CORES):
        clocks = f"{CPU}/cpu{core}/cpufreq/scaling"
        values = {"available_frequencies": " ".join(map(str, CPU_KHZ)), "cur_freq": CPU_KHZ[0], "min_freq": CPU_KHZ[0],
                  "max_freq": CPU_KHZ[-1], "governor": "schedutil"}  # fmt: skip
        found.update({f"{clocks}_{name}": f"{value}\n" for name, value in values.items()})
        found[f"{CPU}/cpu{core}/online"] = "1\n"
    for channel, (rail, _) in enumerate(RAILS.items(), 1):
        found.update({f"{chip}/in{channel}_label": f"{rail}\n", f"{chip}/in{channel}_input": "5000\n"})
    for number, zone in enumerate(TEMPERATURES):
        found[f"sys/devices/virtual/thermal/thermal_zone{number}/type"] = f"{zone}-thermal\n"
    return {**found, **load(0)}


def load(column: int) -> Dict[str, str]:
    """What differs between idle (0) and loaded (1)."""
    chip = f"{I2C}/hwmon/hwmon0"
    found = {f"{chip}/curr{channel}_input": f"{ma[column]}\n" for channel, ma in enumerate(RAILS.values(), 1)}
    for number, milli in enumerate(TEMPERATURES.values()):
        found[f"sys/devices/virtual/thermal/thermal_zone{number}/temp"] = f"{milli[column]}\n"
    return {**found, f"{GPU}/load": f"{980 * column}\n"}


def links() -> Dict[str, str]:
    """From the places where they are looked for."""
    zones: List[str] = [f"thermal_zone{number}" for number in range(len(TEMPERATURES))]
    return {
        "sys/class/devfreq/17000000.gpu": "../../devices/platform/bus@0/17000000.gpu/devfreq/17000000.gpu",
        "sys/bus/i2c/devices/1-0040": f"../../../../{I2C}",
        "sys/class/hwmon/hwmon0": f"../../../{I2C}/hwmon/hwmon0",
        **{f"sys/class/thermal/{zone}": f"../../devices/virtual/thermal/{zone}" for zone in zones},
    }


def recorded() -> Dict[str, object]:
    """The board as `edge-doctor --record` writes it, and what a load changes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, text in files().items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        for path, target in links().items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)
        return {**record.record(root, ask=False), "overlay_load": load(1)}


def main() -> int:
    TARGET.write_text(json.dumps(recorded(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
