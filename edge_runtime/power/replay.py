"""Plays a recorded trace: `replay:run.csv` or `run.jsonl`, which are logs of edge-detect, or a log of tegrastats."""

from __future__ import annotations

import csv
import time
from bisect import bisect_right
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterable, List, Mapping, Optional, Set, Tuple

from edge_runtime.errors import SourceError
from edge_runtime.files import fields, read
from edge_runtime.power import Meter
from edge_runtime.power.tegrastats import parse

PRIORITY = -1
RAIL_END = "_w"  # end of the name of a column that is a rail
NOT_RAILS = ("total_w", "idle_w", "mean_w")
MOST = 256 * read.MIB  # bytes of a trace
TIME, WATTS = fields.number(0, 1e12), fields.number(-1e6, 1e6)
RAILS = fields.mapping(WATTS)
Samples = List[Tuple[float, Dict[str, float]]]


def available(root: Path = Path("/")) -> Optional[str]:
    """Never available by itself: it must be asked for."""
    return "used only as replay:FILE"


def open(root: Path = Path("/"), what: str = "") -> Meter:
    """Reads a trace. Its time begins with `restart`. Until then its first reading is valid.

    Raises:
        SourceError: it cannot be read, or has no watts.
    """
    samples, modes = _read(what)
    return ReplayMeter(samples, modes=modes)


def check(root: Path, what: str) -> None:
    """Refuses what is no trace.

    Raises:
        SourceError: see `open`.
    """
    _read(what)


def _read(what: str) -> Tuple[Samples, Set[str]]:
    """The readings of a trace, and its modes."""
    try:
        text = read.read_text(what, MOST)
    except ValueError as error:
        raise SourceError(f"{what!r} cannot be read: it {error}", hint="replay:FILE, a log of edge-detect") from error
    samples = [(time_s, rails) for time_s, rails in _samples(Path(what), text) if rails]
    if not samples:
        raise SourceError(f"{what} has no watts", hint="expected columns time_s and RAIL_w, or tegrastats' lines")
    back = next((later for (earlier, _), (later, _) in zip(samples, samples[1:]) if later < earlier), None)
    if back is not None:
        fact = f"{what}: its time goes back to {back:g} s"
        raise SourceError(fact, hint="a trace holds one run: are there two in the file?")
    return samples, _modes(Path(what), text)


class ReplayMeter:
    """See `Meter`. Each reading is valid until the next. After the last one, all rails are gaps.

    Attributes:
        modes: power modes that the trace was recorded in, if it names them.
    """

    def __init__(
        self, samples: Samples, clock: Callable[[], float] = time.monotonic, modes: Collection[str] = ()
    ) -> None:
        self.name, self.gaps, self._clock = "replay", 0, clock
        self.rails = list(dict.fromkeys(rail for _, rails in samples for rail in rails))
        self.modes = sorted(modes)
        self._times, self._readings = [time_s - samples[0][0] for time_s, _ in samples], [rails for _, rails in samples]
        self._began_s: Optional[float] = None
        self._end_s = self._times[-1] + (self._times[-1] / max(1, len(samples) - 1) or 1.0)

    def restart(self) -> None:
        """Starts the trace. A measured run calls it after loading and warm-up."""
        self._began_s = self._clock()

    def read_w(self, only: Optional[Collection[str]] = None) -> Dict[str, float]:
        """See `Meter.read_w`."""
        now_s = 0.0 if self._began_s is None else self._clock() - self._began_s
        reading = self._readings[bisect_right(self._times, now_s) - 1] if now_s < self._end_s else {}
        self.gaps += len(self.rails) - len(reading)
        return dict(reading)

    def close(self) -> None:
        """Nothing is held open."""


def _samples(path: Path, text: str) -> Samples:
    try:
        if path.suffix == ".csv":
            return [_row(row) for row in csv.DictReader(text.split("\n"))]
        if path.suffix == ".jsonl":
            rows = [read.parse_json_object(line) for line in text.split("\n") if line.strip()]
            return [(TIME.take(row["time_s"]), RAILS.take(row.get("rails_w", {}))) for row in rows]
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        fact = f"{path} is not a trace: {read.why(error)}"
        raise SourceError(fact, hint="expected time_s and watts by rail") from error
    return [(float(second), RAILS.take(parse(line))) for second, line in enumerate(text.split("\n"))]


def _modes(path: Path, text: str) -> Set[str]:
    """The modes in a log's rows. Lines of tegrastats have none."""
    rows: Iterable[Mapping[str, Any]] = ()
    if path.suffix == ".csv":
        rows = csv.DictReader(text.split("\n"))
    elif path.suffix == ".jsonl":
        rows = [read.parse_json_object(line) for line in text.split("\n") if line.strip()]
    return {str(row["mode"]) for row in rows if row.get("mode")}


def _row(row: Dict[str, str]) -> Tuple[float, Dict[str, float]]:
    rails = {
        name[: -len(RAIL_END)]: WATTS.take(float(value))
        for name, value in row.items()
        if name and name.endswith(RAIL_END) and name not in NOT_RAILS and value
    }
    return TIME.take(float(row["time_s"])), rails
