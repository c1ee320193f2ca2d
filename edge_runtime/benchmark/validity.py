"""Decides which measurements may be published: none that throttled, drifted, lost power samples or was not alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any, Dict, List, Optional, Sequence, Tuple

from edge_runtime.energy.extremes import events
from edge_runtime.energy.joules import Energy
from edge_runtime.jetson.probe import State

SHORTEST_S = 30.0  # shortest window: power chips average over seconds, and clocks need seconds to become stable
COVERAGE = 0.95  # part of the time that power samples must cover
CLOCK_DRIFT = 0.05  # largest change of a median clock, from the first third of a window to the last
TEMPERATURE_DRIFT_C = 5.0  # largest change of the hottest zone, in the same way
PEAKS_PER_S = 30.0  # over-current peaks of a millisecond each; up to this is usual at full load
OTHERS = 0.10  # part of all cores that other processes may use
GPU_IDLE = 5.0  # percent; if the GPU is busier before we begin, another process uses it
CLOCKS = ("gpu_mhz", "gpu_min_mhz", "gpu_max_mhz", "cpu_max_mhz", "emc_mhz")


@dataclass(frozen=True)
class Window:
    """What was measured in one window.

    Attributes:
        seconds: length of the window.
        fps: frames per second, end to end.
        latency_ms, stage_ms: percentiles, milliseconds.
        energy: energy of the whole machine; None without a meter.
        rails_w: mean watts by rail.
        states: states of the board, about one per second.
        others: part of all cores that other processes kept busy.
        intruders: numbers of other processes on the GPU.
    """

    seconds: float
    fps: Optional[float]
    latency_ms: Dict[str, float]
    stage_ms: Dict[str, Dict[str, float]]
    energy: Optional[Energy] = None
    rails_w: Dict[str, float] = field(default_factory=dict)
    states: Sequence[State] = ()
    others: float = 0.0
    intruders: Tuple[int, ...] = ()

    @property
    def throttle(self) -> Dict[str, int]:
        """Returns the throttling events that were counted from the first state to the last."""
        return events(self.states[0], self.states[-1]) if self.states else {}

    def to_dict(self) -> Dict[str, Any]:
        """Returns plain data for JSON, without the states."""
        watts = self.energy.mean_w if self.energy else None
        return {"seconds": round(self.seconds, 2), "fps": self.fps, "mean_w": watts, "others": round(self.others, 3)}


def faults(window: Window, shortest_s: float = SHORTEST_S) -> List[str]:
    """Returns why a window may not be published; empty if there is no reason."""
    found = []
    if window.seconds < 0.98 * shortest_s:
        found.append(f"a window of {window.seconds:.1f} s, at least {shortest_s:g} s are needed")
    if not window.fps:
        found.append("no frame was seen")
    if window.energy is not None and window.energy.coverage < COVERAGE:
        found.append(f"power was measured for {window.energy.coverage:.0%} of the time, with {window.energy.gaps} gaps")
    if window.others > OTHERS:
        found.append(f"other processes used {window.others:.0%} of the cores")
    if window.intruders:
        found.append(f"other processes were on the GPU: {', '.join(map(str, window.intruders))}")
    return [*found, *_throttled(window), *_drifted(window.states)]


def remarks(window: Window) -> List[str]:
    """Returns what a reader should know about a window that may be published."""
    peaks = window.throttle.get("over_current_peak", 0)
    return [f"{peaks / window.seconds:.1f} over-current peaks a second"] if peaks else []


def busy_before(states: Sequence[State]) -> Optional[str]:
    """Returns a reason if the GPU was in use before the measurement; else None."""
    loads = [state.gpu_load for state in states if state.gpu_load is not None]
    if loads and median(loads) > GPU_IDLE:
        return f"the GPU was {median(loads):.0f} % busy before the measurement"
    return None


def _throttled(window: Window) -> List[str]:
    counted = dict(window.throttle)
    peaks = counted.pop("over_current_peak", 0)
    found = [f"throttled: {name.replace('_', '-')} {count}" for name, count in counted.items() if count > 0]
    if any(state.throttle.get("cooling") for state in window.states) and not counted.get("cooling"):
        found.append("throttled: cooling")
    if peaks > PEAKS_PER_S * window.seconds:
        found.append(f"throttled: {peaks / window.seconds:.0f} over-current peaks a second")
    return found


def _drifted(states: Sequence[State]) -> List[str]:
    third = max(1, len(states) // 3)
    if len(states) < 3:
        return []
    found = []
    for name in CLOCKS:
        before, after = _median(states[:third], name), _median(states[-third:], name)
        if before and after and abs(after / before - 1) > CLOCK_DRIFT:
            found.append(f"{name} went from {before:g} to {after:g}")
    hot = [[max(state.temperatures_c.values()) for state in part if state.temperatures_c]
           for part in (states[:third], states[-third:])]  # fmt: skip
    if all(hot) and abs(median(hot[1]) - median(hot[0])) > TEMPERATURE_DRIFT_C:
        found.append(f"temperature went from {median(hot[0]):.1f} to {median(hot[1]):.1f} °C")
    return found


def _median(states: Sequence[State], clock: str) -> Optional[float]:
    values = [state.clocks[clock] for state in states if clock in state.clocks]
    return median(values) if values else None
