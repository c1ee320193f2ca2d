"""Result rows for edge-plan's check: of boards made of the recorded ones, and of this project's own measured tables.

A recorded tree has the watts without work and under load of one mode, and the clocks of all modes. What the other modes
do is made here, by another rule than the one that edge-plan assumes: each engine waits for the GPU, for the memory and
for the processor in parts of its own, watts grow with the cube of a clock, and a board that is half idle lowers its
clocks. So the check shows how far edge-plan's rule bears, and not what a board does.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

from bench.trees import lay
from edge_runtime import power
from edge_runtime.jetson import board, nvpmodel

# Milliseconds of an engine at the recorded mode, and the parts of them for GPU, memory, processor.
ENGINES = {
    "heavy_fp16.plan": (42.0, (0.70, 0.22, 0.08)), "heavy_int8.plan": (25.0, (0.58, 0.30, 0.12)),
    "middle_int8.plan": (14.0, (0.52, 0.28, 0.20)), "light_int8.plan": (8.0, (0.40, 0.30, 0.30)),
}  # fmt: skip
PARTS = (("GPU", "MAX_FREQ"), ("EMC", "MAX_FREQ"), ("CPU", "MAX_FREQ"))
FREE = 1.15  # an uncapped clock, in times of the highest cap
NOISE_FPS, NOISE_W = 0.01, 0.01
HALF = 0.5  # a rate that is also asked for, in parts of the full one
SAVED = 0.12  # part of the joules of a frame that lower clocks save at a rate of nearly 0
Row = Dict[str, Any]


class Recorded(NamedTuple):
    """What a tree tells: watts without work and under load, and the clocks of each mode against the recorded one."""

    name: str
    idle_w: float
    load_w: float
    ratios: Dict[str, Tuple[float, ...]]


def recorded(shared: Path) -> Iterator[Recorded]:
    """The recorded boards that have watts and two modes or more. Trees of one board differ, so all count."""
    for path in sorted((shared / "fixtures" / "jetson").glob("*_l4t*.json")):
        with tempfile.TemporaryDirectory() as folder:
            watts = []
            for load in (False, True):
                root = lay(path, Path(folder, str(load)), load)
                meter = power.open(root)
                total = power.total_of(meter.rails)
                watts.append(total.watts(meter.read_w()))
            conf = nvpmodel.load_conf(root)
            now = nvpmodel.current(root, conf)
            if now is not None and len(conf.modes) > 1 and watts[1] > watts[0]:
                yield Recorded(f"{board.model(root)}, {path.stem}", *watts, _ratios(conf, now))


def _ratios(conf: nvpmodel.Conf, now: nvpmodel.Mode) -> Dict[str, Tuple[float, ...]]:
    caps = {mode.name: tuple(_cap(mode, *part) for part in PARTS) for mode in conf.modes}
    most = [FREE * max((mode[part] for mode in caps.values()), default=0.0) for part in range(len(PARTS))]
    clocks = {name: [clock or free for clock, free in zip(mode, most)] for name, mode in caps.items()}
    return {name: tuple(clock / here if here else 1.0 for clock, here in zip(mode, clocks[now.name]))
            for name, mode in clocks.items()}  # fmt: skip


def _cap(mode: nvpmodel.Mode, param: str, arg: str) -> float:
    """The clock of a mode; 0 for none."""
    found = [float(setting.value) for setting in mode.settings
             if setting.param.startswith(param) and setting.arg == arg
             and setting.value not in nvpmodel.UNCAPPED]  # fmt: skip
    return max(found, default=0.0)


def made(tree: Recorded, seed: int) -> List[Row]:
    """Rows of all engines at all modes of a board, each at full and at half rate."""
    chance = random.Random(seed)
    rows = []
    for mode, ratios in tree.ratios.items():
        idle_w = tree.idle_w * (0.85 + 0.15 * ratios[0])
        for engine, (ms, parts) in ENGINES.items():
            full = 1e3 / sum(ms * part / ratio for part, ratio in zip(parts, ratios))
            dynamic_w = (tree.load_w - tree.idle_w) * sum(part * ratio**3 for part, ratio in zip(parts, ratios))
            for rate in (1.0, HALF):
                watts = idle_w + dynamic_w * rate * (1 - SAVED * (1 - rate))
                fps = full * rate
                rows.append(row(tree.name, engine, mode, _shaken(fps, NOISE_FPS, chance, rate < 1),
                                _shaken(watts, NOISE_W, chance), idle_w, rate < 1))  # fmt: skip
    return rows


def _shaken(value: float, part: float, chance: random.Random, held: bool = False) -> List[float]:
    """Three windows. A rate that is held does not vary."""
    return [value * (1.0 if held else chance.gauss(1.0, part)) for _ in range(3)]


def row(name: str, engine: str, mode: str, fps: List[float], watts: List[float], idle_w: Any, paced: bool) -> Row:
    """A row as edge-bench writes it."""
    middle = sorted(watts)[len(watts) // 2] if watts else None
    windows = [{"seconds": 30.0, "fps": rate, "mean_w": load, "faults": []} for rate, load in zip(fps, watts)]
    pace = f"@{fps[0]:.4g}" if paced else ""
    return {
        "engine": engine, "mode": mode, "batch": 1, "streams": 1, "board": name, "valid": True, "reasons": [],
        "notes": [], "fps": sorted(fps)[len(fps) // 2], "fps_low": min(fps), "fps_high": max(fps), "mean_w": middle,
        "idle_w": idle_w, "windows": windows, "source": f"synthetic://1280x720{pace}",
    }  # fmt: skip


def measured(reference: Path) -> Dict[str, List[Row]]:
    """Tables that were measured on processors: the number of threads or the backend stands where a mode does."""
    host = json.loads((reference / "bench_host.json").read_text(encoding="utf-8"))["sections"]
    ends = host["End to end, 720p file"]["rows"]
    speed = json.loads((reference / "bench_int8_speed.json").read_text(encoding="utf-8"))["sections"]
    alone = speed["Milliseconds of inference, one thread"]["rows"]
    forms = [name for name, ms in alone[0].items() if isinstance(ms, float) and name != "speedup"]
    return {
        "bench_host.md: 3 models end to end, 2 backends with 1, 3, 4 threads": [
            row("host", each["model"], each["backend"], [one["fps"] for one in each["pipeline"]], [], None, False)
            for each in ends
        ],
        "bench_int8_speed.md: 6 networks alone, float and INT8 on two backends": [
            row("speed", each["model"], form, [1e3 / each[form]], [], None, False) for each in alone for form in forms
        ],
    }  # fmt: skip
