"""An hour of a run, simulated second by second: between minute 10 and minute 60 nothing in the process has grown."""

from __future__ import annotations

import gc
import types
from collections import deque
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
import pytest

from edge_runtime import power
from edge_runtime.cli import _govern
from edge_runtime.cli._govern import Governing
from edge_runtime.energy.efficiency import Conditions, Efficiency
from edge_runtime.energy.governor import Decision, Goal, OperatingPoint
from edge_runtime.energy.sampler import Sampler
from edge_runtime.jetson.nvpmodel import Mode
from edge_runtime.jetson.probe import Probe
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.sources import SourceOptions, v4l2
from tests.loop.parts import open_detector

FPS, MINUTE = 1, 60  # results
OUTPUTS = ("out.jsonl", "out.mp4", "out.csv", "out.coco.json", "drawn/", "{source}.jsonl")
CONTAINERS = (list, dict, set, deque, bytearray)
NOT_OURS = (types.ModuleType, type, types.CodeType, types.FrameType, types.BuiltinFunctionType)


def containers(*roots: object) -> Dict[int, Tuple[Any, int]]:
    """Every container that is reached from these objects, kept so that its number stays its own, and its length."""
    seen: Dict[int, object] = {}
    queue: List[object] = list(roots)
    while queue:
        item = queue.pop()
        if id(item) in seen or isinstance(item, NOT_OURS):
            continue
        seen[id(item)] = item
        if isinstance(item, types.FunctionType):  # not its module's globals
            queue += item.__closure__ or ()
        else:
            queue += gc.get_referents(item)
    return {key: (item, len(item)) for key, item in seen.items() if isinstance(item, CONTAINERS)}


class Flaky:
    """In the place of OpenCV's capture: a cheap camera, half of whose pictures are broken."""

    opened, fps, size = True, 30.0, "64x48"

    def __init__(self, *_: object) -> None:
        self.count = 0

    def get(self, prop: int) -> float:
        return 0.0

    def set(self, prop: int, value: float) -> None:
        """As it likes."""

    def read(self, buffer: Optional[np.ndarray] = None) -> Optional[np.ndarray]:
        self.count += 1
        return np.zeros((48, 64, 3), np.uint8) if self.count % 2 else None

    def close(self) -> None:
        """Nothing is open."""


class Modes:
    """In the place of a board that switches its modes."""

    def set(self, wanted: str, settle_s: float = 0.0) -> str:
        return wanted


class Hour:
    """What edge-detect puts together, with a clock that each result moves on by a second."""

    def __init__(self, folder: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self.rows = 0.0, 0
        monkeypatch.setattr(v4l2, "Capture", Flaky)
        monkeypatch.setattr(v4l2, "_check", lambda device: None)
        self.detectors = [open_detector(folder, name) for name in "ab"]
        outputs = [f"{folder}/{name}" for name in OUTPUTS]
        self.pipeline = Pipeline(
            self.detectors[0], [0, "synthetic://64x48"], outputs, source_options=SourceOptions(loop=True)
        )
        self.sampler = Sampler(power.open(root), Probe(root), clock=lambda: self.now_s)
        self.efficiency = Efficiency(
            self.pipeline.monitor, self.sampler, Conditions(Mode(0, "15W")), clock=lambda: self.now_s,
            log=self.log, extra=lambda: self.governing.row(),
        )  # fmt: skip
        self.governing = Governing(
            Goal(1000.0), self.pipeline, self.sampler, self.detectors, Modes(), ["15W", "30W"],  # type: ignore[arg-type]
            idle_w=None, settle_s=0.0, changed=self.change, clock=lambda: self.now_s,
        )  # fmt: skip
        monkeypatch.setattr(self.governing._governor, "look", self.look)

    def log(self, row: Dict[str, Any]) -> None:
        self.rows += 1

    def change(self) -> None:
        number = int(self.now_s / 2) % 2
        self.efficiency.change(Conditions(Mode(number, ("15W", "30W")[number])))

    def look(self, seen: object, now_s: float) -> Decision:
        """Another engine and mode each time, which no governor would decide."""
        number = int(now_s / 2)
        return Decision(OperatingPoint(number // 30 % 2, number % 2, None), f"because it is {now_s:.0f} s")

    def minutes(self) -> Iterator[int]:
        """Runs an hour; gives each minute."""
        with self.pipeline:
            for number, result in enumerate(self.pipeline, 1):
                del result
                self.now_s = number / FPS
                self.sampler._look()
                self.efficiency.tick()
                self.governing.tick()
                self.pipeline.monitor.status(self.pipeline.dropped)
                if number % MINUTE == 0:
                    yield number // MINUTE
                if number == 60 * MINUTE:
                    return

    def reached(self) -> Dict[int, Tuple[Any, int]]:
        gc.collect()
        return containers(self.pipeline, self.sampler, self.efficiency, self.governing, *self.detectors)


def test_an_hour_grows_nothing(board_tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hour = Hour(tmp_path, board_tree("test-board"), monkeypatch)
    monkeypatch.setattr(_govern, "print_status", lambda line: None)
    at: Dict[int, Dict[int, Tuple[Any, int]]] = {}
    for minute in hour.minutes():
        if minute in (10, 60):
            at[minute] = hour.reached()
    grown = [
        f"{before} -> {at[60][key][1]}: {item!r:.200}"
        for key, (item, before) in at[10].items()
        if key in at[60] and at[60][key][1] > before + 20
    ]
    assert not grown
    early, late = (sum(length for _, length in at[minute].values()) for minute in (10, 60))
    assert late < early + 500, f"{late - early} items more, in {len(at[60]) - len(at[10])} containers more"
    assert hour.rows > 3000 and len(hour.governing.decisions) == _govern.KEPT
    summary = hour.efficiency.finish()
    assert summary["mode"] == "15W, then 30W" and summary["seconds"] == pytest.approx(3600, abs=2)
    for detector in hour.detectors:
        detector.close()


def test_the_walk_finds_what_grows() -> None:
    class Leaky:
        def __init__(self) -> None:
            self.nested = {"states": []}
            self.bound = self.nested["states"].append

    leaky = Leaky()
    before = containers(leaky)
    for number in range(100):
        leaky.bound(number)
    after = containers(leaky)
    assert max(after[key][1] - before[key][1] for key in before) == 100
