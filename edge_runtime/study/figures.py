"""The figures of a study's rows: what can be compared with what, NetScore, and the fronts."""

from __future__ import annotations

from math import log10
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from edge_runtime.benchmark import results
from edge_runtime.benchmark.results import Row

Cost = Callable[[Row], Optional[float]]
# Name, unit, and figure of each cost; whether it is that of a machine, and counts only in a valid row.
COSTS: Tuple[Tuple[str, Cost, bool], ...] = (
    ("GFLOPs (2 x MACs)", lambda row: _scaled(of(row, "counts", "conv_macs"), 2e-9), False),
    ("million parameters", lambda row: _scaled(of(row, "counts", "parameters"), 1e-6), False),
    ("ms, p50 of a frame", lambda row: of(row, "latency_ms", "p50"), True),
    ("J per frame", lambda row: of(row, "joules_per_frame"), True),
)


def of(row: Row, *names: str) -> Optional[float]:
    """A figure inside of a row; None if it is not there."""
    value: Any = row
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return None if value is None or isinstance(value, (str, dict, list, tuple)) else float(value)


def ap(row: Row, name: str = "AP") -> Optional[Tuple[float, float, float]]:
    """An AP of a row, and its interval of 95 %: `AP`, `AP50`, `APs`, `APm`, `APl`; None if there is none."""
    found = (row.get("ap") or {}).get("figures", {}).get(name)
    return None if found is None or found[0] < 0 else (found[0], found[1], found[2])


def netscore(row: Row) -> Optional[float]:
    """20 log10(a^2 / sqrt(p m)), with AP in percent, million parameters and billion MACs (Wong 2018, 1806.05512)."""
    accuracy, parameters, macs = ap(row), of(row, "counts", "parameters"), of(row, "counts", "conv_macs")
    if accuracy is None or not (accuracy[0] and parameters and macs):
        return None
    return 20 * log10((100 * accuracy[0]) ** 2 / (parameters / 1e6 * macs / 1e9) ** 0.5)


def same_data(rows: Sequence[Row]) -> Dict[str, List[Row]]:
    """The rows whose AP is of the same pictures and labels, by the hash of these."""
    found: Dict[str, List[Row]] = {}
    for row in rows:
        if ap(row):
            found.setdefault(str(row["ap"]["data"]), []).append(row)
    return found


def same_machine(rows: Sequence[Row]) -> Dict[str, List[Row]]:
    """The valid rows of each machine and mode, by their name."""
    found: Dict[str, List[Row]] = {}
    for row in rows:
        if row["valid"]:
            place = ", ".join(filter(None, (results.platform(row), str(row.get("mode") or ""))))
            found.setdefault(place, []).append(row)
    return found


def one_of_each(rows: Sequence[Row]) -> List[Row]:
    """One row of each network: its counts and its AP are the same on all machines."""
    found: Dict[Any, Row] = {}
    for row in rows:
        network = row.get("name") or row["engine"], row.get("engine_sha256")
        if network not in found or (ap(row) and not ap(found[network])):
            found[network] = row
    return list(found.values())


def front(points: Sequence[Tuple[float, float]]) -> List[int]:
    """The points (cost, gain) that no other beats: none costs as little and gains as much, and is better in one.

    Returns their numbers, by rising cost. Of equal points the first one stands.
    """
    order = sorted(range(len(points)), key=lambda number: (points[number][0], -points[number][1]))
    kept: List[int] = []
    for number in order:
        if not kept or points[number][1] > points[kept[-1]][1]:
            kept.append(number)
    return kept


def _scaled(value: Optional[float], factor: float) -> Optional[float]:
    return None if value is None else value * factor
