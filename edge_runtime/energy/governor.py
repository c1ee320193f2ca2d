"""Holds a frame rate or a budget of watts: it skips frames, or changes the engine or the power mode.

This file only decides, every few seconds, from what was seen since the last decision. It acts if a state lasts several
looks in a row. There is a band in which it does nothing. It waits after each change. After a failed try it waits twice
as long before the next. The budget comes before the rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, Optional, Tuple

LOOK_S = 2.0  # time between two looks
LASTS = 3  # looks in a row before it acts on a problem
IDLES = 5  # looks in a row before it takes a change back
SHORT, OVER = 0.95, 1.02  # shares of the rate and the budget: it acts below the first, above the second
ROOM_W = 0.90  # share of the budget: below it, the run may use more
FULL, ROOM = 0.90, 0.60  # shares of the engine's time
FITS = 0.85  # share of the engine's time, to go back to a slower engine
AIM = 0.97  # share of the budget, when frames are skipped to meet it
STEP = 1.25  # largest growth of the rate in one step
SLOWEST_FPS = 1.0
FIRST_RETRY_S, LONGEST_RETRY_S = 30.0, 960.0


@dataclass(frozen=True)
class Goal:
    """What to hold. One of the two may be None.

    Attributes:
        fps: frames per second.
        watts: mean watts of the whole machine.
    """

    fps: Optional[float] = None
    watts: Optional[float] = None


@dataclass(frozen=True)
class Seen:
    """What was measured since the last look.

    Attributes:
        fps: frames per second that went through the engine.
        engine_ms: milliseconds that the engine took for one frame.
        watts: mean watts of the whole machine; None if they were not measured.
    """

    fps: float
    engine_ms: float
    watts: Optional[float] = None

    @property
    def busy(self) -> float:
        """Part of the time in which the engine worked."""
        return self.fps * self.engine_ms / 1e3


@dataclass(frozen=True)
class OperatingPoint:
    """The values that the governor chooses.

    Attributes:
        engine: index in the list. The first engine is preferred, later ones are lighter.
        mode: index in the list of power modes, which begins with the smallest budget.
        pace_fps: most frames per second that go through the engine; None for all.
    """

    engine: int = 0
    mode: int = 0
    pace_fps: Optional[float] = None


@dataclass(frozen=True)
class Decision:
    """A new setting and its reason."""

    setting: OperatingPoint
    reason: str


class Governor:
    """Makes the decisions; see the module.

    Args:
        goal: a rate, a budget, or both.
        engines, modes: how many there are.
        setting: the setting at the start of the run.
        settle_s: seconds after a change of mode that do not count.
        idle_w: watts without work, to compute what a frame costs; None if unknown.
    """

    def __init__(
        self,
        goal: Goal,
        engines: int = 1,
        modes: int = 1,
        setting: OperatingPoint = OperatingPoint(),
        *,
        settle_s: float = 10.0,
        idle_w: Optional[float] = None,
    ) -> None:
        self.goal, self.setting = goal, replace(setting, pace_fps=goal.fps)
        self._engines, self._modes, self._settle_s, self._idle_w = engines, modes, settle_s, idle_w or 0.0
        self._engine_ms: Dict[Tuple[int, int], float] = {}
        self._looks: Dict[str, int] = {}
        self._deaf_until_s = 0.0
        self._retry_s: Dict[str, float] = {}
        self._tried: Dict[str, float] = {}
        self._hopeless = ""
        self.switchable = True  # whether modes may be changed; False after a refusal

    def look(self, seen: Seen, now_s: float) -> Optional[Decision]:
        """What to change; None for nothing. It is called every `LOOK_S`."""
        if now_s < self._deaf_until_s:
            return None
        if seen.engine_ms:
            self._engine_ms[self.setting.engine, self.setting.mode] = seen.engine_ms
        state = self._state(seen)
        self._looks = {state: self._looks.get(state, 0) + 1}
        if self._looks[state] < (LASTS if state in ("over", "short") else IDLES):
            return None
        decision = {"over": self._less, "short": self._more, "room": self._back, "": lambda *_: None}[state](
            seen, now_s
        )
        return self._made(decision, now_s) if decision else None

    def _state(self, seen: Seen) -> str:
        goal, watts = self.goal, seen.watts
        if goal.watts is not None and watts is not None and watts > OVER * goal.watts:
            return "over"
        room_w = goal.watts is None or (watts is not None and watts < ROOM_W * goal.watts)
        if goal.fps is not None and seen.fps < SHORT * goal.fps:
            throttled = self.setting.pace_fps is not None and self.setting.pace_fps < goal.fps
            return "short" if (throttled and room_w) or (not throttled and seen.busy > FULL) else ""
        return "room" if room_w and (goal.fps is None or seen.busy < ROOM) else ""

    def _less(self, seen: Seen, now_s: float) -> Optional[Decision]:
        """Over the budget: takes a smaller mode if the rate allows it, else a lighter engine, else fewer frames."""
        assert self.goal.watts is not None and seen.watts is not None
        why = f"{seen.watts:.1f} W are over the budget of {self.goal.watts:g} W"
        rate_bears_it = self.goal.fps is None or seen.busy < ROOM
        if self._smaller and rate_bears_it:
            self._failed("mode", now_s)
            return Decision(replace(self.setting, mode=self.setting.mode - 1), f"{why}: a smaller power mode")
        if self.goal.fps is not None and self.setting.engine + 1 < self._engines:
            self._failed("engine", now_s)
            return Decision(replace(self.setting, engine=self.setting.engine + 1), f"{why}: a lighter engine")
        pace = max(SLOWEST_FPS, seen.fps * self._share(seen.watts))
        if seen.fps > 1.05 * SLOWEST_FPS and pace < seen.fps:
            return Decision(replace(self.setting, pace_fps=pace), f"{why}: at most {pace:.1f} FPS")
        if self._smaller:
            return Decision(replace(self.setting, mode=self.setting.mode - 1), f"{why}: a smaller power mode")
        if self.setting.engine + 1 < self._engines:
            return Decision(replace(self.setting, engine=self.setting.engine + 1), f"{why}: a lighter engine")
        return self._cannot(f"{why}, and nothing is left to take away")

    def _more(self, seen: Seen, now_s: float) -> Optional[Decision]:
        """Too slow: takes back skipped frames if the budget allows it, else a bigger mode, else a lighter engine."""
        assert self.goal.fps is not None
        why = f"{seen.fps:.1f} FPS are short of {self.goal.fps:g}"
        if self.setting.pace_fps is not None and self.setting.pace_fps < self.goal.fps:
            return self._faster(seen, f"{why}, and the budget has room")
        if self._bigger and self._may("mode", now_s):
            self._failed("smaller", now_s)
            return Decision(replace(self.setting, mode=self.setting.mode + 1), f"{why}: a bigger power mode")
        if self.setting.engine + 1 < self._engines:
            self._failed("engine", now_s)
            return Decision(replace(self.setting, engine=self.setting.engine + 1), f"{why}: a lighter engine")
        return self._cannot(f"{why}, and there is nothing faster")

    def _back(self, seen: Seen, now_s: float) -> Optional[Decision]:
        """Room to spare: more frames, the preferred engine, a smaller mode at the same rate, or a bigger one."""
        self._hopeless = ""
        if self.goal.fps is None:
            return self._within_budget(seen, now_s)
        before = self.setting.engine - 1
        if before >= 0 and self._may("engine", now_s) and self._fits(before, self.setting.mode):
            self._tried["engine"] = now_s
            return Decision(replace(self.setting, engine=before), f"{seen.busy:.0%} busy: the engine before")
        if self._smaller and self._may("smaller", now_s):
            self._tried["smaller"] = now_s
            return Decision(replace(self.setting, mode=self.setting.mode - 1), f"{seen.busy:.0%} busy: a smaller mode")
        return None

    def _within_budget(self, seen: Seen, now_s: float) -> Optional[Decision]:
        if self.setting.pace_fps is not None and seen.fps >= SHORT * self.setting.pace_fps:
            return self._faster(seen, "the budget has room")
        before = self.setting.engine - 1
        if before >= 0 and self._may("engine", now_s):
            self._tried["engine"] = now_s
            return Decision(replace(self.setting, engine=before), "the budget has room: the engine before")
        if self._bigger and seen.busy > FULL and self._may("mode", now_s):
            self._tried["mode"] = now_s
            return Decision(replace(self.setting, mode=self.setting.mode + 1), "the budget has room: a bigger mode")
        return None

    def _faster(self, seen: Seen, why: str) -> Decision:
        assert self.setting.pace_fps is not None
        growth = min(STEP, self._share(seen.watts)) if seen.watts is not None else STEP
        pace = self.setting.pace_fps * max(1.02, growth)
        pace = pace if self.goal.fps is None else min(pace, self.goal.fps)
        return Decision(replace(self.setting, pace_fps=pace), f"{why}: at most {pace:.1f} FPS")

    @property
    def _smaller(self) -> bool:
        return self.switchable and self.setting.mode > 0

    @property
    def _bigger(self) -> bool:
        return self.switchable and self.setting.mode + 1 < self._modes

    def _share(self, watts: float) -> float:
        """Share of the frames that the budget allows. Only the watts above idle come from frames."""
        assert self.goal.watts is not None
        idle_w = min(self._idle_w, 0.9 * self.goal.watts, 0.9 * watts)
        return (AIM * self.goal.watts - idle_w) / (watts - idle_w)

    def _fits(self, engine: int, mode: int) -> bool:
        """Whether an engine would hold the rate, judged by its milliseconds when it last ran."""
        known = [ms for (which, there), ms in self._engine_ms.items() if which == engine and there == mode]
        known = known or [ms for (which, _), ms in self._engine_ms.items() if which == engine]
        return self.goal.fps is None or not known or known[-1] * self.goal.fps / 1e3 < FITS

    def _may(self, what: str, now_s: float) -> bool:
        return now_s - self._tried.get(what, -LONGEST_RETRY_S) >= self._retry_s.get(what, 0.0)

    def _failed(self, what: str, now_s: float) -> None:
        """Notes a change that was taken back. The next try waits twice as long, at most `LONGEST_RETRY_S`."""
        waited = self._retry_s.get(what, FIRST_RETRY_S / 2)
        self._retry_s[what] = min(LONGEST_RETRY_S, 2 * waited)
        self._tried[what] = now_s

    def _cannot(self, why: str) -> Optional[Decision]:
        """Says once that the goal cannot be reached."""
        if self._hopeless:
            return None
        self._hopeless = why
        return Decision(self.setting, why)

    def _made(self, decision: Decision, now_s: float) -> Decision:
        waits = self._settle_s if decision.setting.mode != self.setting.mode else LOOK_S
        self._deaf_until_s = now_s + waits
        self.setting, self._looks = decision.setting, {}
        return decision
