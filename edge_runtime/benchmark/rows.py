"""Rows of a benchmark: the results of one engine under one set of conditions, and these conditions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Dict, List, Optional, Sequence

from edge_runtime.benchmark.validity import Window, faults, remarks
from edge_runtime.detect.detector import Detector
from edge_runtime.energy.efficiency import Conditions, per_watt
from edge_runtime.energy.extremes import Extremes
from edge_runtime.gpu import passport
from edge_runtime.jetson import board
from edge_runtime.machine import cores, cpu_name
from edge_runtime.model import onnx_file
from edge_runtime.model.spec import RANGES_KEY
from edge_runtime.power import Total

ENOUGH = 2  # least number of good windows, if that many were measured
TRACE = ("gpu_mhz", "cpu_mhz", "emc_mhz")


@dataclass(frozen=True)
class Case:
    """What is measured: one engine at one power mode, batch size and number of streams."""

    engine: str
    mode: Optional[str]
    batch: int
    streams: int

    def to_dict(self) -> Dict[str, Any]:
        """Returns the columns that distinguish the rows."""
        return {"engine": Path(self.engine).name, "mode": self.mode, "batch": self.batch, "streams": self.streams}


def machine(root: Path) -> Dict[str, Any]:
    """Returns facts about the machine of the measurement; those of a board are empty texts if it is no Jetson."""
    release = board.l4t(root)
    about = {"board": board.model(root), "l4t": release, "jetpack": board.jetpack(release)}
    return {**about, "cpu": f"{cpu_name(root)}, cores {cores(root)}"}


def identity(detector: Detector) -> Dict[str, str]:
    """Returns which engine it is: SHA-256 of the file and of its range table, and what runs it."""
    path = Path(detector.model.path)
    about = passport.read_passport(path)
    ranges = detector.model.io.metadata.get(RANGES_KEY, "")
    return {
        "backend": detector.backend.description,
        "engine_sha256": _digest(path),
        "ranges_sha256": about.ranges if about else hashlib.sha256(ranges.encode()).hexdigest() if ranges else "",
    }


def _digest(path: Path) -> str:
    """SHA-256 of the file. Weights in files beside an ONNX file belong to it."""
    if path.suffix.lower() == ".onnx":
        return onnx_file.digest(str(path))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assemble(
    case: Case,
    about: Dict[str, Any],
    conditions: Conditions,
    total: Optional[Total],
    windows: Sequence[Window],
    alone_fps: Optional[float],
    shortest_s: float,
    against: Sequence[str] = (),
) -> Dict[str, Any]:
    """Makes one row: medians over the good windows, the spread, and why other windows were left out.

    Args:
        about: identity, accuracy and machine; they are copied into the row.
        against: reasons why the whole row is not valid.
    """
    judged = [(window, faults(window, shortest_s)) for window in windows]
    sound = [window for window, found in judged if not found]
    reasons = [*against, *dict.fromkeys(reason for _, found in judged for reason in found)]
    if conditions.mode and not conditions.caps_verified:
        reasons.insert(0, f"the caps of {conditions.mode.name} could not be verified")
        sound = []
    valid = not against and len(sound) >= min(ENOUGH, len(windows)) > 0
    return {
        **case.to_dict(),
        "mode": conditions.mode_name,
        **about,
        "nominal_w": conditions.mode.nominal_w if conditions.mode else None,
        "caps_verified": conditions.caps_verified if conditions.mode else None,
        "valid": valid,
        "reasons": reasons,
        "notes": list(dict.fromkeys(note for window in sound for note in remarks(window))),
        "windows_sound": len(sound),
        "windows": [{**window.to_dict(), "faults": found} for window, found in judged],
        "rail": total.name if total else None,
        "scope": total.scope if total else None,
        **_medians(sound or windows, conditions, alone_fps),
        **Extremes(state for window in windows for state in window.states).to_dict(),
        "trace": _trace(windows),
    }


def refused(case: Case, about: Dict[str, Any], reason: str) -> Dict[str, Any]:
    """Returns the row of a case that could not be measured."""
    return {**case.to_dict(), **about, "valid": False, "reasons": [reason], "notes": []}


def _medians(windows: Sequence[Window], conditions: Conditions, alone_fps: Optional[float]) -> Dict[str, Any]:
    rates = [window.fps for window in windows if window.fps]
    fps = median(rates) if rates else None
    watts = _median([window.energy.mean_w for window in windows if window.energy])
    rails = {rail for window in windows for rail in window.rails_w}
    return {
        "fps": _round(fps),
        "fps_low": _round(min(rates, default=None)),
        "fps_high": _round(max(rates, default=None)),
        "fps_engine": _round(alone_fps),
        "latency_ms": _percentiles([window.latency_ms for window in windows]),
        **per_watt(fps, watts, conditions),
        "rails_w": {rail: _round(_median([w.rails_w.get(rail) for w in windows])) for rail in sorted(rails)},
        "coverage": _round(min((w.energy.coverage for w in windows if w.energy), default=None)),
        "clocks": _clocks(windows),
    }


def _clocks(windows: Sequence[Window]) -> Dict[str, float]:
    states = [state for window in windows for state in window.states]
    names = sorted({name for state in states for name in state.clocks})
    return {name: median(state.clocks[name] for state in states if name in state.clocks) for name in names}


def _percentiles(summaries: Sequence[Dict[str, float]]) -> Dict[str, float]:
    names = {name for summary in summaries for name in summary}
    return {name: round(median(s[name] for s in summaries if name in s), 3) for name in sorted(names)}


def _trace(windows: Sequence[Window]) -> List[Dict[str, Any]]:
    """Returns the temperature of the hottest zone and the clocks, about once a second, for plots."""
    states = [state for window in windows for state in window.states]
    return [
        {"hottest_c": max(state.temperatures_c.values(), default=None),
         **{name: state.clocks[name] for name in TRACE if name in state.clocks}}
        for state in states
    ]  # fmt: skip


def _median(values: Sequence[Optional[float]]) -> Optional[float]:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _round(value: Optional[float]) -> Optional[float]:
    return None if value is None else round(value, 3)
