"""What the rows of one machine say: how many frames an engine does at a mode, and the watts at any rate below.

Watts are those without work, and the rest in proportion to the frames, between the rates that were measured. Rows of a
slower source (`--source synthetic://1280x720@10`) are such rates.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from edge_runtime.accuracy import coco
from edge_runtime.benchmark import results
from edge_runtime.benchmark.results import Row
from edge_runtime.planning.estimates import Estimate, around, predicted

FPS, JOULES = "FPS", "J per frame"
AGAIN = 0.03  # part by which a case differs if it is measured again: an assumption
LINE = 0.12  # part of the watts above idle by which they may leave the line, halfway between two measured rates
# A source that gives frames at its own rate, so that the row does not show what the engine can do.
PACED = re.compile(r"(?:synthetic|demo):.*@[\d.]+$|(?:rtsps?|csi|v4l2|gst\S*|https?)://|\d+$", re.IGNORECASE)


class Way(NamedTuple):
    """How an engine is run."""

    engine: str
    batch: int
    streams: int

    def __str__(self) -> str:
        more = [f"{name} {number}" for name, number in (("batch", self.batch), ("streams", self.streams)) if number > 1]
        return ", ".join([self.engine, *more])


@dataclass(frozen=True)
class Load:
    """One row: frames per second and, if they were measured, watts."""

    fps: Estimate
    watts: Optional[Estimate]
    idle_w: Optional[float]
    paced: bool


class Board:
    """The valid rows of one machine.

    Args:
        name: what the machine is called.
        rows: its valid rows.
    """

    def __init__(self, name: str, rows: Sequence[Row]) -> None:
        self.name = name
        self.loads: Dict[Tuple[Way, str], List[Load]] = {}
        self.accuracy: Dict[str, Estimate] = {}
        self.scopes = tuple(dict.fromkeys(str(row["scope"]) for row in rows if row.get("scope")))
        for row in rows:
            way = Way(str(row.get("name") or row["engine"]), row["batch"], row["streams"])
            self.loads.setdefault((way, str(row.get("mode") or "")), []).append(_load(row))
            if row.get("ap") and row["ap"]["value"] >= 0:  # -1 without objects
                self.accuracy[way.engine] = _accuracy(row["ap"], results.seen(row))
        self._predicted: Dict[Tuple[Way, str, str], Optional[Estimate]] = {}
        self.ways = tuple(dict.fromkeys(way for way, _ in self.loads))
        self.modes = tuple(dict.fromkeys(mode for _, mode in self.loads))

    def capacity(self, way: Way, mode: str) -> Optional[Estimate]:
        """Frames per second at full load; None if nothing leads to them."""
        loads = self.loads.get((way, mode))
        if loads:
            best = max(loads, key=lambda load: load.fps.value)
            said = ("the source of its row held the rate down: it may be faster",) if best.paced else ()
            return Estimate(best.fps.value, best.fps.low, best.fps.high, said)
        return self._missing(FPS, way, mode)

    def watts(self, way: Way, mode: str, fps: float) -> Optional[Estimate]:
        """Watts of the whole machine at a rate; None if nothing leads to them."""
        idle_w = self.idle_w(mode)
        measured = [load for load in self.loads.get((way, mode), ()) if load.watts]
        if measured:
            return _between(measured, idle_w, fps)
        joules = self._missing(JOULES, way, mode)
        if joules is None or idle_w is None:
            return None
        return around(idle_w, AGAIN).plus(joules.times(fps))

    def idle_w(self, mode: str) -> Optional[float]:
        """Watts without work at a mode; None if no row has them."""
        known = [load.idle_w for (_, there), loads in self.loads.items() if there == mode for load in loads]
        given = [watts for watts in known if watts is not None]
        return median(given) if given else None

    def _missing(self, what: str, way: Way, mode: str) -> Optional[Estimate]:
        """A figure that was not measured, by the ratios of other engines. It is asked for often, so it is kept."""
        place = (way, mode, what)
        if place not in self._predicted:
            found = predicted(self._capacities() if what == FPS else self._joules(), str(way), mode)
            said = f"{what} of {way} at {mode or 'this mode'}: not measured, from the ratios of other engines"
            self._predicted[place] = found and replace(found, assumed=(said,))
        return self._predicted[place]

    def _capacities(self) -> Dict[Tuple[str, str], float]:
        full = {place: [load.fps.value for load in loads if not load.paced] for place, loads in self.loads.items()}
        return {(str(way), mode): max(rates) for (way, mode), rates in full.items() if rates}

    def _joules(self) -> Dict[Tuple[str, str], float]:
        """Joules above idle of a frame at full load."""
        found = {}
        for (way, mode), loads in self.loads.items():
            load, idle_w = max(loads, key=lambda load: load.fps.value), self.idle_w(mode)
            if load.watts and idle_w is not None and load.watts.value > idle_w:
                found[str(way), mode] = (load.watts.value - idle_w) / load.fps.value
        return found


def boards(parts: Sequence[Sequence[Row]]) -> List[Board]:
    """The machines of result files. A row that was measured again takes the place of the earlier one."""
    latest = {(results.merge_key(row), row.get("source")): row for rows in parts for row in rows
              if row["valid"] and row["fps"] > 0}  # fmt: skip
    machines: Dict[str, List[Row]] = {}
    for row in latest.values():
        machines.setdefault(results.platform(row), []).append(row)
    return [Board(name, rows) for name, rows in machines.items()]


def _load(row: Row) -> Load:
    fps = around(row["fps"], AGAIN, row["fps_low"], row["fps_high"])
    watts = None if row.get("mean_w") is None else around(row["mean_w"], AGAIN, *_range(row.get("windows", ())))
    return Load(fps, watts, row.get("idle_w"), bool(PACED.match(str(row.get("source") or ""))))


def _range(windows: Sequence[Dict[str, Any]]) -> Tuple[Optional[float], Optional[float]]:
    known = [
        window["mean_w"] for window in windows if isinstance(window.get("mean_w"), float) and not window.get("faults")
    ]
    return min(known, default=None), max(known, default=None)


def _accuracy(ap: Dict[str, Any], seen: str) -> Estimate:
    """The AP, with the low end 0 if the network has seen these pictures: on others it may be any lower."""
    low, high = coco.interval(ap["samples"]) if ap.get("samples") else (ap["value"], ap["value"])
    assumed = (f"AP on pictures that are new to it was not measured: {seen}",) if seen else ()
    return Estimate(ap["value"], 0.0 if seen else min(low, ap["value"]), max(high, ap["value"]), assumed)


def _between(loads: Sequence[Load], idle_w: Optional[float], fps: float) -> Optional[Estimate]:
    """Watts on the line between the two nearest rates that were measured; rate 0 is the one without work."""
    points = sorted(((load.fps.value, load.watts) for load in loads if load.watts), key=lambda point: point[0])
    if idle_w is not None:
        points.insert(0, (0.0, around(idle_w, AGAIN)))
    at = bisect_left([rate for rate, _ in points], fps)
    for rate, watts in points[max(0, at - 1) : at + 1]:
        if abs(fps - rate) <= AGAIN * rate:
            return watts
    if not 0 < at < len(points):
        return None
    (slow, below), (fast, above) = points[at - 1], points[at]
    part = (fps - slow) / (fast - slow)
    line = below.times(1 - part).plus(above.times(part))
    off = 4 * part * (1 - part) * LINE * abs(above.value - below.value)
    said = f"watts at {fps:.3g} FPS: on the line between {slow:.3g} and {fast:.3g} FPS"
    return Estimate(line.value, line.low - off, line.high + off, (said,))
