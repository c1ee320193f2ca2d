"""The board's state: clocks, temperatures, load, throttle events. Its files are found once and read often.

A value that cannot be read is left out and is never 0. Only root can read some files. Others give EAGAIN while their
part of the chip is off.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional

from edge_runtime.jetson.board import is_whole, number, read_text

GPU_CLOCK = re.compile(r".*\.(gpu|gp10b|gv11b|ga10b)|gpu-gpc-0")
GPU_LOAD = ("gpu.0/load", "platform/gpu.0/load", "*.g*/load", "platform/bus@0/*.gpu/load", "platform/*.gpu/load")
EMC_RATES = ("sys/kernel/debug/bpmp/debug/clk/emc/rate", "sys/kernel/debug/clk/override.emc/clk_rate")
GPU_LIMITS = "sys/kernel/debug/bpmp/debug/clk/nafll_gpc*/max_rate"  # a clock of the firmware, unknown to devfreq
OFF_C = -250.0  # readings of a part without power
CONSTANT_ZONES = ("PMIC-Die",)  # always 50 or 100
# Counted since boot, by cause (t234 and Thor). Peaks last a millisecond. They are common under full load.
EVENTS = {"oc1_event_cnt": "under_voltage", "oc2_event_cnt": "over_current", "oc3_event_cnt": "over_current_peak"}


@dataclass(frozen=True)
class State:
    """One reading.

    Attributes:
        clocks: MHz: cpu_mhz (the fastest core), cpu_max_mhz, gpu_mhz, gpu_min_mhz, gpu_max_mhz, emc_mhz; cpus_online.
            The clocks are those that the kernel asks for. Over-current throttling lowers them and does not show.
        temperatures_c: by zone: cpu, gpu, tj.
        gpu_load: percent.
        throttle: events counted since boot, and `cooling`, the number of devices that limit something now.
    """

    clocks: Dict[str, float] = field(default_factory=dict)
    temperatures_c: Dict[str, float] = field(default_factory=dict)
    gpu_load: Optional[float] = None
    throttle: Dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


class Probe:
    """Reads a board's state.

    Args:
        root: stands for `/`.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        gpu = [entry for entry in sorted(root.glob("sys/class/devfreq/*")) if GPU_CLOCK.fullmatch(entry.name)]
        self._gpu = gpu[0] if gpu else None
        self._load = next((path for pattern in GPU_LOAD for path in root.glob(f"sys/devices/{pattern}")), None)
        # os.path.exists, because Path.exists raises if only root may look
        self._emc = [root / path for path in EMC_RATES if os.path.exists(root / path)]
        self._cpus = sorted(root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq"))
        self._online = root / "sys/devices/system/cpu/online"
        zones = sorted(root.glob("sys/class/thermal/thermal_zone*"))
        self._zones = {_stem(read_text(zone / "type")): zone / "temp" for zone in reversed(zones) if _varies(zone)}
        self._events = {
            name: folder / counter
            for folder in _hwmon(root, "soctherm_oc")
            for counter, name in EVENTS.items()
            if (folder / counter).exists()
        }
        cooling = root.glob("sys/class/thermal/cooling_device*")
        self._limits = sorted(root.glob(GPU_LIMITS))
        self._cooling = [device / "cur_state" for device in cooling if "throttl" in read_text(device / "type")]

    def read(self) -> State:
        """The state now."""
        load = number(self._load) if self._load else None
        temperatures = {name: milli / 1e3 for name, path in self._zones.items() for milli in _known(path)}
        throttle = {name: int(count) for name, path in self._events.items() for count in _known(path)}
        if self._cooling:
            throttle["cooling"] = sum(1 for path in self._cooling for state in _known(path) if state > 0)
        return State(
            self._clocks(),
            {name: celsius for name, celsius in sorted(temperatures.items()) if celsius > OFF_C},
            None if load is None else load / 10,
            throttle,
        )

    @property
    def gpu_limit_mhz(self) -> Optional[float]:
        """The firmware's limit of the GPU's clock, if it is below the cap. Only root can read it."""
        cap = self._clocks().get("gpu_max_mhz", 0.0)
        limits = [hertz / 1e6 for path in self._limits for hertz in _known(path)]
        return min((mhz for mhz in limits if 0 < mhz < cap), default=None)

    @property
    def locked(self) -> bool:
        """Whether the GPU's clock is held at its cap, as jetson_clocks does."""
        clocks = self._clocks()
        return "gpu_max_mhz" in clocks and clocks.get("gpu_min_mhz") == clocks["gpu_max_mhz"]

    def _clocks(self) -> Dict[str, float]:
        found: Dict[str, List[float]] = {
            "cpu_mhz": [khz / 1e3 for cpu in self._cpus for khz in _known(cpu / "scaling_cur_freq")],
            "cpu_max_mhz": [khz / 1e3 for cpu in self._cpus for khz in _known(cpu / "scaling_max_freq")],
            "emc_mhz": [hertz / 1e6 for path in self._emc for hertz in _known(path)],
        }
        if self._gpu:
            for name, file in (("gpu_mhz", "cur_freq"), ("gpu_min_mhz", "min_freq"), ("gpu_max_mhz", "max_freq")):
                found[name] = [hertz / 1e6 for hertz in _known(self._gpu / file)]
        found["cpus_online"] = [count for count in [float(_count(read_text(self._online)))] if count]
        return {name: max(values) for name, values in found.items() if values}


def _known(path: Path) -> List[float]:
    value = number(path)
    return [] if value is None else [value]


def _varies(zone: Path) -> bool:
    name = read_text(zone / "type")
    return bool(name) and name not in CONSTANT_ZONES


def _stem(zone: str) -> str:
    """Short name of a zone. Three kernels call the same zone `GPU-therm`, `gpu-thermal` and `GPU`."""
    return re.split(r"[-_]", zone.lower())[0]


def _hwmon(root: Path, name: str) -> List[Path]:
    return [folder for folder in sorted(root.glob("sys/class/hwmon/hwmon*")) if read_text(folder / "name") == name]


def _count(ranges: str) -> int:
    """How many numbers a list of ranges has: "0-3,6" has 5."""
    spans = [span.split("-") for span in ranges.split(",") if span]
    return sum(int(span[-1]) - int(span[0]) + 1 for span in spans if all(is_whole(end) for end in span))
