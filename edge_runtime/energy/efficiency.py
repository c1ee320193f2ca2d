"""Frames per second per watt: joins what a monitor counted and what a sampler measured.

FPS/W is frames per joule, or mean FPS per mean watt of the same time. There are two more figures. The nominal one uses
the watts in the mode's name, which stand for a cap of clocks and not for the power drawn. The other one uses the watts
above idle.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Optional

from edge_runtime.energy.extremes import events
from edge_runtime.energy.joules import Energy
from edge_runtime.energy.sampler import Sampler, Span
from edge_runtime.jetson.nvpmodel import Mode
from edge_runtime.loop.monitor import Monitor

# YOLO Nano at 8 bits on AGX Xavier (Wong et al. 2019, arXiv:1910.01271).
PAPER = {
    15: {"model": "YOLO Nano", "board": "AGX Xavier", "mode": "15W", "fps": 26.9, "fps_per_watt": 1.97},
    30: {"model": "YOLO Nano", "board": "AGX Xavier", "mode": "30W", "fps": 48.2, "fps_per_watt": 1.61},
}
RESOLVED = 0.01  # share of the watts; if less is above idle, it may be noise


@dataclass(frozen=True)
class Conditions:
    """The conditions of a run.

    Attributes:
        mode: the board's power mode; None on other machines.
        caps_verified: whether its caps were read back.
        idle_w: watts before the run, with the model loaded; None if they were not measured.
    """

    mode: Optional[Mode] = None
    caps_verified: bool = False
    idle_w: Optional[float] = None

    @property
    def mode_name(self) -> Optional[str]:
        """The mode's name without nvpmodel's prefix: 15W."""
        return re.sub("^MODE_", "", self.mode.name) if self.mode else None


class Efficiency:
    """Joins a monitor and a sampler: a row a second, a line for the terminal, a summary at the end.

    Args:
        monitor: counts frames. It may belong to a pipeline that has not begun.
        sampler: measures watts. It must be running.
        conditions: the conditions of the run.
        drops: frames lost so far.
        log: called with each row; None for no rows.
        extra: gives more columns of a row.
        every_s: seconds per row.
        clock: monotonic, seconds.
    """

    def __init__(
        self,
        monitor: Monitor,
        sampler: Sampler,
        conditions: Conditions = Conditions(),
        *,
        drops: Callable[[], int] = lambda: 0,
        log: Optional[Callable[[Dict[str, Any]], None]] = None,
        extra: Callable[[], Dict[str, Any]] = dict,
        every_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monitor, self._sampler, self._conditions = monitor, sampler, conditions
        self._drops, self._log, self._extra, self._every_s, self._clock = drops, log, extra, every_s, clock
        self._began_s = self._row_s = clock()
        self._whole: Optional[Span] = None
        self._row: Optional[Span] = None
        self._whole_mark = self._row_mark = monitor.mark()
        self._modes = {conditions.mode_name: conditions.mode}
        self._dropped = 0
        self._state = sampler.state

    def change(self, conditions: Conditions) -> None:
        """The power mode has changed. The run then has no single nominal figure any more."""
        self._modes[conditions.mode_name] = conditions.mode
        self._conditions = replace(conditions, idle_w=self._conditions.idle_w)

    def tick(self) -> None:
        """Call it a few times a second. It begins with the first frame, and writes a row when one is due."""
        if self._whole is None and self._monitor.frames:
            self._sampler.restart()
            self._whole_mark, self._whole = self._monitor.mark(), self._sampler.begin(states=False)
            if self._log:
                self._begin_row()
        elif self._log and self._row is not None and self._clock() - self._row_s >= self._every_s:
            self._log(self._end_row(self._row))
            self._begin_row()

    @property
    def line(self) -> str:
        """`26.9 FPS  13.7 W  1.97 FPS/W  mode 15W`, of the last frames."""
        fps, watts, mode = self._monitor.fps, self._sampler.watts, self._conditions.mode_name
        parts = [f"{fps:.1f} FPS"]
        if watts is not None:
            parts += [f"{watts:.1f} W", f"{fps / watts:.2f} FPS/W" if watts else "- FPS/W"]
        return "  ".join([*parts, *([f"mode {mode}"] if mode else [])])

    def status(self) -> Dict[str, Any]:
        """Plain data of now for JSON, as far as it is known. `temperature_c` is that of the hottest place."""
        state = self._sampler.state
        known = {
            "power_w": _round(self._sampler.watts),
            "rails_w": {rail: _round(watts) for rail, watts in self._sampler.rails_w.items()},
            "mode": self._conditions.mode_name,
            "temperature_c": max(state.temperatures_c.values(), default=None),
            **state.to_dict(),
        }
        return {name: value for name, value in known.items() if value not in (None, {})}

    def finish(self) -> Dict[str, Any]:
        """Ends the measurement and returns plain data for JSON. Without a meter the data hold only the reason."""
        for span in (self._row, self._whole):
            if span:
                self._sampler.end(span)
        if self._sampler.total is None or self._sampler.meter is None:
            return {"reason": self._sampler.reason, **self._mode()}
        if self._whole is None:
            return {"reason": "no frame was seen", **self._mode()}
        counted = self._monitor.since(self._whole_mark)
        conditions = self._conditions if len(self._modes) == 1 else replace(self._conditions, mode=None)
        return {
            "meter": self._sampler.meter.name,
            "rail": self._sampler.total.name,
            "scope": self._sampler.total.scope,
            **self._mode(),
            **figures(counted["fps"], self._whole.energy, conditions),
            "rails_w": {rail: _round(watts) for rail, watts in self._whole.rails_w().items()},
            **self._whole.extremes.to_dict(),
            "paper": paper(conditions.mode),
        }

    def _mode(self) -> Dict[str, Any]:
        names = [mode.name for mode in self._modes.values() if mode]
        verified = {"caps_verified": self._conditions.caps_verified} if names else {}
        return {"mode": ", then ".join(names) or None, **verified}

    def _begin_row(self) -> None:
        self._row_mark, self._row_s, self._row = self._monitor.mark(), self._clock(), self._sampler.begin()
        self._dropped, self._state = self._drops(), self._sampler.state

    def _end_row(self, span: Span) -> Dict[str, Any]:
        self._sampler.end(span)
        counted, state, total = self._monitor.since(self._row_mark), self._sampler.state, span.energy.mean_w
        fps, rails = counted["fps"], self._sampler.meter.rails if self._sampler.meter else ()
        energy = per_watt(fps, total, self._conditions)
        return {
            "time_s": round(self._clock() - self._began_s, 3),
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "mode": self._conditions.mode_name,
            "fps": _round(fps),
            "frames": counted["frames"],
            "dropped": self._drops() - self._dropped,
            "total_w": _round(total),
            "joules_per_frame": energy["joules_per_frame"],
            "fps_per_watt": energy["fps_per_watt"],
            "rails_w": {rail: _round(span.rails_w().get(rail)) for rail in rails},
            "latency_ms": counted["latency_ms"],
            "stage_ms": counted["stage_ms"],
            **state.to_dict(),
            "throttle": events(self._state, state),
            **self._extra(),
        }


def figures(fps: Optional[float], energy: Energy, conditions: Conditions) -> Dict[str, Any]:
    """The figures of `per_watt`, with the joules and how well they were measured."""
    return {
        "fps": _round(fps),
        **per_watt(fps, energy.mean_w, conditions),
        "joules": _round(energy.joules),
        "seconds": _round(energy.elapsed_s),
        "coverage": _round(energy.coverage),
        "samples": energy.samples,
        "gaps": energy.gaps,
    }


def per_watt(fps: Optional[float], watts: Optional[float], conditions: Conditions) -> Dict[str, Optional[float]]:
    """Mean and idle watts, joules per frame, and FPS/W: measured, nominal, above idle. None for unknown figures."""
    nominal, idle_w = conditions.mode.nominal_w if conditions.mode else None, conditions.idle_w
    above = watts - idle_w if watts is not None and idle_w is not None else 0.0
    return {
        "mean_w": _round(watts),
        "idle_w": _round(idle_w),
        "joules_per_frame": _round(watts / fps if fps and watts is not None else None, 5),
        "fps_per_watt": _round(fps / watts if fps and watts else None),
        "fps_per_watt_nominal": _round(fps / nominal if fps and nominal else None),
        "fps_per_watt_above_idle": _round(fps / above if fps and watts and above > RESOLVED * watts else None),
    }


def paper(mode: Optional[Mode]) -> Optional[Dict[str, Any]]:
    """The published figures of the nearest power budget; None without a budget."""
    if mode is None or mode.nominal_w is None:
        return None
    nominal = mode.nominal_w
    return PAPER[min(PAPER, key=lambda watts: abs(watts - nominal))]


def _round(value: Optional[float], digits: int = 3) -> Optional[float]:
    return None if value is None else round(value, digits)
