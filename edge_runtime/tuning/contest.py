"""A fair trial: everyone in turn, in rounds, and the median counts. Who is clearly behind is closed early."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from time import monotonic
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from edge_runtime.errors import EdgeError
from edge_runtime.tuning.arrangements import LATENCY, THROUGHPUT, Arrangement
from edge_runtime.tuning.choice import Measured

LIMIT_S = 20.0  # after it no other arrangement is opened
BUDGET_S = 2.5  # of each of the two sets of rounds; one that has begun is finished
BASE = (0.0, 0.0, 0.7)  # after each round, the part of the best speed that is enough to stay: rounds of the base,
ALL = (0.5, 0.7, 0.85, 0.92, 0.97)  # and those of all that stayed. Three make a median that one bad window cannot move
LEAST = 2  # rounds of all, whatever they take
NEAR = {THROUGHPUT: 0.97, LATENCY: 0.9}  # within this part of the best, fewer threads win: others need cores too


@dataclass
class Entrant:
    """An arrangement in the trial.

    Attributes:
        runner: what was opened, as long as it takes part; else None.
        speeds: images per second in each window; for latency, 1 / seconds of one image.
        error: why it could not be measured; None if it could.
    """

    arrangement: Arrangement
    runner: Any = None
    speeds: List[float] = field(default_factory=list)
    error: Optional[EdgeError] = None

    @property
    def speed(self) -> float:
        """The median of its windows; 0 without one."""
        return median(self.speeds) if self.speeds else 0.0

    def close(self) -> None:
        """Frees what it runs. It may be called more than once."""
        if self.runner is not None:
            self.runner.close()
            self.runner = None


class Contest:
    """Tries arrangements.

    Args:
        opened: opens an arrangement. It may raise EdgeError: the arrangement is left out, with the reason.
        measure: one window of what is open: its speed. It may raise EdgeError too.
        clock: seconds.
    """

    def __init__(
        self,
        opened: Callable[[Arrangement], Any],
        measure: Callable[[Any], float],
        goal: str,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._opened, self._measure, self._goal, self._clock = opened, measure, goal, clock
        self.entrants: List[Entrant] = []

    def run(self, base: Sequence[Arrangement], rest: Sequence[Arrangement]) -> None:
        """Tries the base, then the rest of the backends that are still in it, then all that stay, round by round."""
        began_s = self._clock()
        for arrangement in base:
            self._enter(arrangement)
        self._rounds(BASE)
        before, better = len(self._staying()), self._better()
        for arrangement in rest:
            if _hopeful(arrangement, better) and self._clock() - began_s < LIMIT_S:
                self._enter(arrangement)
        if len(self._staying()) > before:
            for entrant in self._staying():
                entrant.speeds.clear()  # all shall be measured in the same rounds
            self._rounds(ALL, LEAST)

    def won(self) -> Tuple[Any, Tuple[Measured, ...]]:
        """What the winner runs, which is the caller's from now on, and the figures: its own, then from the fastest on.

        The winner is near the best speed, with the fewest threads.

        Raises:
            EdgeError: all were left out. It is the error of the first one.
        """
        staying = self._staying()
        if not staying:
            raise next(entrant.error for entrant in self.entrants if entrant.error)
        near = NEAR[self._goal] * max(map(_speed, staying))
        able = [each for each in staying if each.speed >= near]
        best = min(able, key=_cost)
        runner, best.runner = best.runner, None
        others = sorted((each for each in self.entrants if each is not best and not each.error), key=_speed)
        return runner, tuple(Measured(each.arrangement, each.speed) for each in (best, *others[::-1]))

    def failures(self) -> List[str]:
        """What was left out, each with its reason."""
        return [f"{each.arrangement}: {each.error}" for each in self.entrants if each.error]

    def close(self) -> None:
        """Frees everything. It may be called more than once."""
        for entrant in self.entrants:
            entrant.close()

    def _enter(self, arrangement: Arrangement) -> None:
        self.entrants.append(Entrant(arrangement))
        try:
            self.entrants[-1].runner = self._opened(arrangement)
        except EdgeError as error:
            self.entrants[-1].error = error

    def _rounds(self, enough: Sequence[float], least: int = 1) -> None:
        began_s = self._clock()
        for number, part in enumerate(enough):
            staying = self._staying()
            late = number >= least and self._clock() - began_s > BUDGET_S
            if late or (number and len(staying) < 2):
                return
            first = number % max(1, len(staying))  # who runs after a busy moment of the machine changes
            for entrant in staying[first:] + staying[:first]:
                self._window(entrant)
            best = max(map(_speed, self._staying()), default=0.0)
            for entrant in self._staying():
                if entrant.speed < min(part, NEAR[self._goal]) * best:
                    entrant.close()

    def _window(self, entrant: Entrant) -> None:
        try:
            entrant.speeds.append(self._measure(entrant.runner))
        except EdgeError as error:
            entrant.error = error
            entrant.close()

    def _staying(self) -> List[Entrant]:
        return [entrant for entrant in self.entrants if entrant.runner is not None]

    def _better(self) -> Dict[str, Optional[bool]]:
        """The backends that are still in it, each with the value of `spinning` that was better so far."""
        return {each.arrangement.backend: each.arrangement.spinning for each in sorted(self._staying(), key=_speed)}


def _hopeful(arrangement: Arrangement, better: Dict[str, Optional[bool]]) -> bool:
    """Whether nothing that is known speaks against an arrangement."""
    if arrangement.backend not in better:
        return False
    known = better[arrangement.backend]
    return known is None or arrangement.spinning in (None, known)


def _cost(entrant: Entrant) -> Tuple[float, ...]:
    """What it takes from others; of equal ones the fastest comes first."""
    used = entrant.arrangement
    return used.threads, used.streams, used.batch, -entrant.speed


def _speed(entrant: Entrant) -> float:
    return entrant.speed
