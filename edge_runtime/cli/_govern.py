"""edge-detect's `--target-fps` and `--budget`: carries out the governor's decisions, prints and logs them."""

from __future__ import annotations

import argparse
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Optional, Sequence

from edge_runtime.cli import _flags, _values
from edge_runtime.cli._power import print_status
from edge_runtime.detect.detector import Detector
from edge_runtime.energy.governor import LOOK_S, Decision, Goal, Governor, OperatingPoint, Seen
from edge_runtime.energy.sampler import Sampler
from edge_runtime.errors import EdgeError, UsageError
from edge_runtime.jetson.hold import Hold
from edge_runtime.loop.pipeline import Pipeline

KEPT = 100  # decisions to keep; a run of months makes many


def add_flags(group: argparse._ArgumentGroup) -> None:
    """Flags of the governor."""
    group.add_argument("--target-fps", type=_values.rate, metavar="FPS", help="hold this rate of each source")
    group.add_argument(
        "--budget", type=_values.watts, metavar="10W", help="hold this many watts, even if the rate suffers"
    )
    group.add_argument(
        "--power-modes",
        type=_flags.words,
        default=[],
        metavar="15W,30W",
        help="modes to choose from, the smallest first",
    )


def goal(args: argparse.Namespace) -> Optional[Goal]:
    """The rate and budget to hold; None for nothing.

    Raises:
        UsageError: there are flags that need a rate or a budget.
    """
    wanted = Goal(args.target_fps and args.target_fps * len(args.sources), args.budget)
    if args.power_mode and args.power_modes:
        raise UsageError("--power-mode and --power-modes", hint="one mode, or several to choose from")
    if wanted != Goal():
        return wanted
    if args.power_modes or len(args.engine) > 1:
        raise UsageError("several engines or power modes, and nothing to choose by", hint="--target-fps or --budget")
    return None


def refuse_unmeasured(goal: Goal, reason: str) -> None:
    """Refuses a budget where no watts are measured.

    Args:
        reason: why they are not measured; "" if they are.

    Raises:
        UsageError: there is a budget, and a reason.
    """
    if goal.watts is not None and reason:
        raise UsageError(f"a budget, but watts are not measured here: {reason}", hint="leave --budget out")


class Governing:
    """Carries out what a governor decides.

    Args:
        goal: rate and budget to hold, for all sources together.
        detectors: from the preferred one to the lightest; the pipeline runs the first.
        hold: sets modes; None if there is no mode to choose.
        modes: names, beginning with the smallest budget. The first is set.
        idle_w: watts before the run.
        settle_s: seconds after a change of mode that do not count.
        changed: called after a change of mode.

    Attributes:
        decisions: the latest decisions, plain data.
    """

    def __init__(
        self,
        goal: Goal,
        pipeline: Pipeline,
        sampler: Sampler,
        detectors: Sequence[Detector],
        hold: Optional[Hold],
        modes: Sequence[str],
        *,
        idle_w: Optional[float],
        settle_s: float,
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        refuse_unmeasured(goal, sampler.reason if sampler.meter is None else "")
        for detector in detectors[1:]:
            pipeline.check_swap(detector)
        self._governor = Governor(goal, len(detectors), max(1, len(modes)), settle_s=settle_s, idle_w=idle_w)
        self._pipeline, self._sampler, self._detectors = pipeline, sampler, list(detectors)
        self._hold, self._modes, self._changed, self._clock = hold, list(modes), changed, clock
        self._began_s = self._looked_s = clock()
        self._mark, self._span = pipeline.monitor.mark(), sampler.begin()
        self.decisions: Deque[Dict[str, Any]] = deque(maxlen=KEPT)
        self._untold: Deque[str] = deque(maxlen=KEPT)
        pipeline.pace.fps = goal.fps

    def tick(self) -> None:
        """Call it a few times a second."""
        now_s = self._clock()
        if now_s - self._looked_s < LOOK_S:
            return
        counted, watts = self._pipeline.monitor.since(self._mark), self._sampler.end(self._span).energy.mean_w
        seen = Seen(counted["fps"] or 0.0, counted["stage_ms"].get("inference", {}).get("mean", 0.0), watts)
        self._looked_s, self._mark, self._span = now_s, self._pipeline.monitor.mark(), self._sampler.begin()
        before = self._governor.setting
        decision = self._governor.look(seen, now_s) if counted["frames"] > 0 else None
        if decision:
            self._carry_out(decision, before)

    def row(self) -> Dict[str, Any]:
        """Columns for the log: the setting, and the reason of a change since the last row."""
        setting, reasons = self._governor.setting, "; ".join(self._untold)
        self._untold.clear()
        engine = Path(self._detectors[setting.engine].model.path).name
        return {"engine": engine, "pace_fps": setting.pace_fps, "decision": reasons or None}

    def _carry_out(self, decision: Decision, before: OperatingPoint) -> None:
        now, reason = decision.setting, decision.reason
        self._pipeline.pace.fps = now.pace_fps
        try:
            if now.engine != before.engine:
                self._pipeline.swap(self._detectors[now.engine])
            if now.mode != before.mode and self._hold:
                self._hold.set(self._modes[now.mode], settle_s=0.0)
                self._changed()
        except EdgeError as error:  # the run goes on without the change
            self._governor.setting, self._governor.switchable = before, now.mode == before.mode
            self._pipeline.pace.fps = before.pace_fps
            reason = f"{reason}; but {error}"
        self._note(reason)

    def _note(self, reason: str) -> None:
        setting = asdict(self._governor.setting)
        mode = self._modes[setting["mode"]] if self._modes else None
        engine = self._detectors[setting["engine"]].model.path
        time_s = round(self._clock() - self._began_s, 1)
        self.decisions.append({"time_s": time_s, **setting, "engine": engine, "mode": mode, "reason": reason})
        self._untold.append(reason)
        print_status(f"governor: {reason}")
