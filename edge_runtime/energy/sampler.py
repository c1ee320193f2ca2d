"""Watts over time. One thread reads the total five times a second, and once the other rails and the board's state.

More readings give no more information: the chips average over 0.4 s. And each file costs a board about a millisecond.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

from edge_runtime import power
from edge_runtime.energy.extremes import Extremes
from edge_runtime.energy.joules import Energy
from edge_runtime.errors import SourceError
from edge_runtime.jetson.probe import Probe, State
from edge_runtime.libraries.rounds import Rounds
from edge_runtime.power import Meter, Total

HZ = 5.0
STATE_EVERY_S = 1.0
RAIL_GAP_S = 2.5  # time between two readings of a rail that is not part of the total


@dataclass(eq=False)  # two spans with equal values are still two
class Span:
    """What was measured since the span began. It grows until it is ended.

    Attributes:
        energy: energy of the whole machine.
        rails: energy of each rail.
        extremes: extremes of the board's states since `began_s`.
        states: the states themselves, about one a second, if `keeps_states`.
        began_s: its start, monotonic.
    """

    began_s: float
    energy: Energy = field(default_factory=Energy)
    rails: Dict[str, Energy] = field(default_factory=dict)
    extremes: Extremes = field(default_factory=Extremes)
    states: List[State] = field(default_factory=list)
    keeps_states: bool = True

    def add_state(self, state: State) -> None:
        """The board's state now."""
        self.extremes.add(state)
        if self.keeps_states:
            self.states.append(state)

    def rails_w(self) -> Dict[str, float]:
        """Mean watts of each rail that was read."""
        means = {name: energy.mean_w for name, energy in self.rails.items()}
        return {name: watts for name, watts in means.items() if watts is not None}


class Sampler:
    """Measures while it runs.

        with Sampler.open() as sampler:
            span = sampler.begin()
            ...
            sampler.end(span)
            print(span.energy.joules, span.energy.coverage)

    Args:
        meter: reads watts; None if nothing can be measured. `reason` then says why.
        probe: reads the board's state; None leaves it out.
        reason: why there is no meter.
        hz: readings per second.
        clock: monotonic, seconds.

    Attributes:
        total: the rails of the total; None without a meter.
        rails_w: watts of each rail, at the last reading of all of them; one that could not be read is left out.
    """

    def __init__(
        self,
        meter: Optional[Meter],
        probe: Optional[Probe] = None,
        *,
        reason: str = "",
        hz: float = HZ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.meter, self.reason = meter, reason
        self.total: Optional[Total] = power.total_of(meter.rails) if meter else None
        self.state = State()
        self.rails_w: Dict[str, float] = {}
        self._probe, self._period_s, self._clock = probe, 1 / hz, clock
        self._spans: List[Span] = []
        self._latest: Dict[str, float] = {}
        self._latest_s: Optional[float] = None
        self._wanted: Sequence[str] = ()
        self._state_s = float("-inf")
        self._lock = threading.Lock()
        self._reading = Rounds("measuring watts", self._read)
        self._probing = Rounds("reading the state of the board", self._read_state)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="power sampler", daemon=True)

    @classmethod
    def open(cls, root: Path = Path("/"), named: str = "", hz: float = HZ) -> Sampler:
        """The sampler of this machine, or of the tree below `root`. `named` is as for `power.open`.

        Raises:
            SourceError, UsageError: the named meter cannot be read. Without a name, `reason` says so instead.
        """
        try:
            return cls(power.open(root, named), Probe(root), hz=hz)
        except SourceError as error:
            if named:
                raise
            return cls(None, Probe(root), reason=str(error), hz=hz)

    @staticmethod
    def check(root: Path = Path("/"), named: str = "") -> str:
        """Why nothing could be measured; "" if something can. Nothing is started.

        Raises:
            SourceError, UsageError: see `open`.
        """
        try:
            power.check(root, named)
        except SourceError as error:
            if named:
                raise
            return str(error)
        return ""

    @property
    def watts(self) -> Optional[float]:
        """Watts of the whole machine at the last reading; None if it failed, or without a meter."""
        return self.total.watts(self._latest) if self.total else None

    @property
    def recorded(self) -> bool:
        """Whether the watts come from a trace and not from sensors."""
        return hasattr(self.meter, "restart")

    def restart(self) -> None:
        """Begins a measured run: a recorded trace starts at its beginning. Sensors are not changed."""
        if self.recorded:
            with self._lock:
                self.meter.restart()  # type: ignore[union-attr]

    def begin(self, states: bool = True) -> Span:
        """A span that begins now. It includes the reading before.

        Args:
            states: keep every state. Do not use it for a long span, which would need more and more memory.
        """
        with self._lock:
            span = Span(self._clock(), keeps_states=states)
            if self._latest_s is not None:
                self._add(span, self._latest_s)
            self._spans.append(span)
        return span

    def end(self, span: Span) -> Span:
        """Ends a span with a reading of this moment, and returns it. It may be called more than once."""
        with self._lock:
            if span in self._spans:
                self._look(everything=True)
                self._spans.remove(span)
        return span

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        if self.meter:
            self.meter.close()

    def _work(self) -> None:
        """Reads at fixed times, so that a slow reading does not stretch the period."""
        due = self._clock()
        while not self._stopping.is_set():
            with self._lock:
                self._look()
            due = max(due + self._period_s, self._clock())
            self._stopping.wait(due - self._clock())

    def _look(self, everything: bool = False) -> None:
        """A reading. One that fails is a gap: the last watts are not those of now. The watts come before the state."""
        now_s = self._clock()
        fresh = now_s - self._state_s >= STATE_EVERY_S
        if not self._reading(fresh or everything):
            self._latest = {}
        self._latest_s = now_s
        if fresh or everything:
            self.rails_w = dict(self._latest)
        for span in self._spans:
            self._add(span, now_s)
        if fresh:
            self._state_s = now_s
            self._probing()

    def _read(self, everything: bool) -> None:
        if self.meter and self.total:
            self._wanted = self.meter.rails if everything else self.total.rails
            self._latest = self.meter.read_w(self._wanted)

    def _read_state(self) -> None:
        if self._probe:
            self.state = self._probe.read()
        for span in self._spans:
            span.add_state(self.state)

    def _add(self, span: Span, time_s: float) -> None:
        if self.total is None:
            return
        span.energy.add(time_s, self.total.watts(self._latest))
        for rail in self._wanted:
            span.rails.setdefault(rail, Energy(RAIL_GAP_S)).add(time_s, self._latest.get(rail))
