"""Writes down what happened: faults, warnings of the log, and once a second the state of the run."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional

from edge_runtime.energy.sampler import Sampler
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.sources import STATES

MOST_LINES = 10_000
AWAY = STATES[3:]  # lost, refused

Row = Dict[str, Any]


class Diary(logging.Handler):
    """Rows of the last seconds, with the time of day in `time_s`. It listens to the logger "edge_runtime".

    Args:
        seconds: how long a row is kept.
        faulty: called with a reason for each fault.
    """

    def __init__(self, seconds: float, faulty: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._seconds, self._faulty = seconds, faulty
        self._log: Deque[Row] = deque(maxlen=MOST_LINES)
        self._status: Deque[Row] = deque(maxlen=MOST_LINES)
        self._away: Dict[str, int] = {}  # of each live source: how often it was away

    def open(self) -> None:
        """Begins to listen."""
        logging.getLogger("edge_runtime").addHandler(self)

    def close(self) -> None:
        """Ends that."""
        logging.getLogger("edge_runtime").removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        try:
            self._note("log", level=record.levelname.lower(), message=record.getMessage())
        except Exception:  # a record whose arguments do not fit its text
            self.handleError(record)

    def fault(self, kind: str, name: str, why: str) -> None:
        """Something failed. A recording is asked for."""
        self._note("fault", what=kind, name=name, error=why)
        named = "" if why.startswith(name) else name
        self._faulty(" ".join(filter(None, (kind, named, why))))

    def tick(self, pipeline: Pipeline, sampler: Optional[Sampler]) -> None:
        """Notes the state of the run."""
        states = pipeline.states
        monitor = pipeline.monitor
        row = {"frames": monitor.frames, "gated": monitor.gated, "dropped": list(pipeline.dropped), "states": states,
               "not_finite": pipeline.watch.bad, **_measured(sampler)}  # fmt: skip
        self._status.append({"time_s": round(time.time(), 3), **row})
        self._watch(states)

    def log(self) -> List[Row]:
        """What happened in the last seconds."""
        return self._recent(self._log)

    def status(self) -> List[Row]:
        """The states of the last seconds."""
        return self._recent(self._status)

    def _watch(self, states: List[Dict[str, Any]]) -> None:
        """A source that was lost since the last look is a fault, also if it is back."""
        for state in states:
            times = state["reconnects"] + (state["state"] in AWAY)
            if times > self._away.get(state["source"], 0):
                self.fault("source", state["source"], state["reason"] or state["state"])
            self._away[state["source"]] = times

    def _note(self, event: str, **about: Any) -> None:
        self._log.append({"time_s": round(time.time(), 3), "event": event, **about})

    def _recent(self, rows: Deque[Row]) -> List[Row]:
        since_s = time.time() - self._seconds
        return [row for row in list(rows) if row["time_s"] >= since_s]


def _measured(sampler: Optional[Sampler]) -> Mapping[str, Any]:
    """Watts by rail, and the board's clocks and temperatures; nothing without a sampler."""
    if sampler is None:
        return {}
    return {"rails_w": sampler.rails_w, "watts": sampler.watts, **sampler.state.to_dict()}
