"""Finds what meets a budget among the engines and modes of machines that were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

from edge_runtime.planning.board import Board, Way
from edge_runtime.planning.budget import LIKELY, MISSED, SURE, Budget, Check
from edge_runtime.planning.estimates import Estimate

# A frame that the gate leaves out is still received, decoded and compared. Its part of the joules of a frame that is
# inferred was not measured: none, a tenth, a fifth.
LEFT_OUT = Estimate(0.1, 0.0, 0.2, ("a frame that the gate leaves out costs 0 to 20 % of one that is inferred",))
LEAST_FPS = 0.1  # the rate that is judged if the watts allow none
STEPS = 40  # halvings of an interval of rates
ALL = 1.0  # part of the frames that are inferred without a gate


@dataclass(frozen=True)
class Option:
    """An engine at a mode, and how it meets the budget.

    Attributes:
        gate: part of the frames that are inferred; 1.0 without a motion gate.
        fps: frames per second of each camera.
        busy: part of the time in which the engine works while something moves at all cameras.
        watts: mean watts; None if they are not known.
        ap: the engine's AP; None if it was not measured.
    """

    board: str
    way: Way
    mode: str
    gate: float
    fps: float
    busy: float
    watts: Optional[Estimate]
    ap: Optional[Estimate]
    checks: Tuple[Check, ...]
    assumed: Tuple[str, ...]

    @property
    def state(self) -> str:
        """The worst state of the checks."""
        states = [check.state for check in self.checks]
        return MISSED if MISSED in states else LIKELY if LIKELY in states else SURE

    @property
    def beyond(self) -> float:
        """How many times the most missed limit is missed."""
        return max((check.beyond for check in self.checks), default=0.0)

    def order(self) -> Tuple[Any, ...]:
        """What is sure comes first, then what was measured, then the better AP, then fewer watts."""
        watts, ap = self.watts.value if self.watts else 0.0, self.ap.value if self.ap else 0.0
        predicted = any("not measured" in line for line in self.assumed)
        return (self.state != SURE, predicted, self.gate < ALL, -round(ap, 3), watts, -self.fps)

    def to_dict(self) -> Dict[str, Any]:
        """Returns plain data for JSON."""
        return {
            "board": self.board, "engine": self.way.engine, "batch": self.way.batch, "streams": self.way.streams,
            "mode": self.mode or None, "gate": None if self.gate == ALL else self.gate, "fps": round(self.fps, 3),
            "busy": round(self.busy, 4), "watts": self.watts and self.watts.to_dict(),
            "ap": self.ap and self.ap.to_dict(), "state": self.state,
            "checks": [check.to_dict() for check in self.checks], "extrapolated": list(self.assumed),
        }  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What was found.

    Attributes:
        options: those that meet the budget, the best one first.
        misses: the others that could be judged, the nearest one first.
        left_out: what could not be judged, and why.
    """

    options: List[Option]
    misses: List[Option]
    left_out: List[str]


def search(boards: Sequence[Board], budget: Budget) -> Plan:
    """Judges every engine at every mode of every machine, without a gate and with the one that the budget expects."""
    found: List[Option] = []
    left_out: List[str] = []
    gates = [ALL] + ([budget.gate] if budget.gate is not None and budget.gate < ALL else [])
    for board in boards:
        for way in board.ways:
            for mode in board.modes:
                for gate in gates:
                    judged = _judge(board, way, mode, gate, budget)
                    if isinstance(judged, Option):
                        found.append(judged)
                    elif judged not in left_out:
                        left_out.append(judged)
    met = sorted((option for option in found if option.state != MISSED), key=Option.order)
    missed = sorted((option for option in found if option.state == MISSED), key=lambda option: option.beyond)
    return Plan(met, missed, left_out)


def _judge(board: Board, way: Way, mode: str, gate: float, budget: Budget) -> Any:
    """An option, or the reason why there is none."""
    name = ", ".join(filter(None, (str(way), mode, board.name)))
    capacity, ap = board.capacity(way, mode), board.accuracy.get(way.engine)
    if capacity is None:
        return f"{name}: not measured, and no other engine links the modes"
    if budget.ap is not None and ap is None:
        return f"{name}: its AP was not measured (edge-bench --data DIR)"
    fps = budget.fps if budget.fps is not None else most_fps(board, way, mode, gate, budget) or LEAST_FPS
    rate = fps * budget.cameras
    watts = watts_at(board, way, mode, min(rate, capacity.value), gate)
    if watts is None and budget.watts is not None:
        return f"{name}: its watts were not measured, or not without work (edge-bench --idle 3)"
    checks = [Check("FPS", rate, capacity)]
    checks += [Check("watts", budget.watts, watts, at_most=True)] if budget.watts is not None and watts else []
    checks += [Check("AP", budget.ap, ap)] if budget.ap is not None and ap else []
    assumed = [*capacity.assumed, *(watts.assumed if watts else ()), *(ap.assumed if ap else ())]
    if way.streams != budget.cameras:
        assumed.append(f"measured with streams {way.streams}, for cameras {budget.cameras}")
    return Option(board.name, way, mode, gate, fps, rate / capacity.value, watts, ap, tuple(checks),
                  tuple(dict.fromkeys(assumed)))  # fmt: skip


def watts_at(board: Board, way: Way, mode: str, rate: float, gate: float) -> Optional[Estimate]:
    """Mean watts if so many frames per second arrive and this part of them is inferred."""
    inferred = board.watts(way, mode, rate * gate)
    if gate == ALL or inferred is None:
        return inferred
    whole, idle_w = board.watts(way, mode, rate), board.idle_w(mode)
    if whole is None or idle_w is None:
        return None
    others = max(0.0, whole.value - idle_w) * (1 - gate)  # what the others would take if they were inferred
    return inferred.plus(LEFT_OUT.times(others))


def most_fps(board: Board, way: Way, mode: str, gate: float, budget: Budget) -> float:
    """The largest rate of each camera that the engine and the watts allow; 0 if the watts allow none."""
    capacity = board.capacity(way, mode)
    high = capacity.value / budget.cameras if capacity else 0.0
    return _largest(lambda fps: _within(board, way, mode, fps * budget.cameras, gate, budget), high)


def most_gate(board: Board, way: Way, mode: str, budget: Budget) -> float:
    """The largest part of the frames that may be inferred within the watts at the rate of the budget."""
    rate = (budget.fps or 0.0) * budget.cameras
    return _largest(lambda gate: _within(board, way, mode, rate, gate, budget), ALL)


def _within(board: Board, way: Way, mode: str, rate: float, gate: float, budget: Budget) -> bool:
    if budget.watts is None:
        return True
    watts = watts_at(board, way, mode, rate, gate)
    return watts is not None and watts.value <= budget.watts


def _largest(fits: Any, high: float) -> float:
    """The largest value up to `high` that fits, if all smaller ones do; 0 if none does."""
    if fits(high):
        return high
    low = 0.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low if fits(low) else 0.0
